"""The commands for Kubeflow Pipelines: `compile` and `schedule`."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.errors import exit_on_error, out
from pipelines.commands.options import Dataset, Home, Hyperparameter, Protocol


def compile_pipelines(
    output: Annotated[Path, typer.Option(help="The folder for the YAML files.")] = Path("compiled"),
    home: Home = None,
) -> None:
    """Compile the training and the promotion pipeline to YAML for Kubeflow Pipelines.

    Image, resources and secrets of the steps come from the settings, such as PENCHANT_IMAGE.

    ```
    penchant compile --output compiled
    ```
    """
    with exit_on_error():
        from pipelines.promotion_pipeline import promotion
        from pipelines.runner import compile_pipeline
        from pipelines.settings import load_settings
        from pipelines.training_pipeline import training

        output.mkdir(parents=True, exist_ok=True)
        for pipeline in (training, promotion):
            file = output / f"{pipeline.__name__}.yaml"
            compile_pipeline(pipeline, load_settings(home=home), file)
            out.print(f"wrote {file}")


def schedule(
    cron: Annotated[
        str, typer.Argument(help="Six fields, seconds first: '0 0 3 * * *' is 03:00:00 every day.")
    ],
    dataset: Dataset = "",
    protocol: Protocol = "time",
    hyperparameter: Hyperparameter = None,
) -> None:
    """Schedule the training pipeline on the Kubeflow Pipelines at PENCHANT_KUBEFLOW.

    Each training starts from the weights of the training run of the live release; `--set warm_start=false`
    turns this off. A schedule keeps the settings it was made with: after a change, schedule again.

    ```
    penchant schedule '0 0 3 * * *'
    penchant schedule '0 30 2 * * 0' --set warm_start=false
    ```
    """
    with exit_on_error():
        from pipelines.pipeline_arguments import parse_hyperparameters, training_arguments
        from pipelines.runner import schedule_on_kubeflow
        from pipelines.settings import load_settings
        from pipelines.training_pipeline import training

        settings = load_settings()
        hyperparameters = {"warm_start": True, **parse_hyperparameters(hyperparameter or [])}
        arguments = {**training_arguments(settings, protocol, 0.05, hyperparameters), "dataset": dataset}
        run_id = schedule_on_kubeflow(training, settings, arguments, cron)
        out.print(f"scheduled as recurring run {run_id}")
