"""The commands for Kubeflow Pipelines: `compile` and `submit`."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.data_options import DataOptions, with_data_options
from pipelines.commands.errors import FAILED, exit_on_error, out
from pipelines.commands.options import Home, Hyperparameter, MaxFailedShare, Policy, Protocol


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
        from pipelines.compilation import compile_pipeline
        from pipelines.promotion_pipeline import promotion
        from pipelines.settings import load_settings
        from pipelines.training_pipeline import training

        settings = load_settings(home=home)
        output.mkdir(parents=True, exist_ok=True)
        for pipeline in (training, promotion):
            file = output / f"{pipeline.__name__}.yaml"
            compile_pipeline(pipeline, settings, file)
            out.print(f"wrote {file}")


@with_data_options
def submit(
    data: DataOptions,
    protocol: Protocol = "time",
    policy: Policy = None,
    max_failed_share: MaxFailedShare = 0.05,
    hyperparameter: Hyperparameter = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Show the steps until the run ends; exit with 1 if it fails.")
    ] = False,
) -> None:
    """Run the training pipeline once on the Kubeflow Pipelines at PENCHANT_KUBEFLOW.

    The sources must be URLs, or files on the volume of the home. `penchant runs` shows the run later.

    ```
    penchant submit --dataset movielens-100k
    penchant submit --interactions https://example.com/march.csv --wait
    ```
    """
    with exit_on_error():
        from pipelines.commands.tables.runs import show_steps
        from pipelines.kubeflow.connection import connect
        from pipelines.kubeflow.runs import KubeflowRuns
        from pipelines.pipeline_arguments import parse_hyperparameters, training_arguments
        from pipelines.run_history import follow
        from pipelines.settings import load_settings
        from pipelines.training_pipeline import training

        settings = load_settings(policy=policy)
        hyperparameters = parse_hyperparameters(hyperparameter or [])
        parameters = training_arguments(settings, protocol, max_failed_share, hyperparameters)
        parameters |= data.source_arguments() | data.meaning_arguments() | {"image": settings.image}
        with connect(settings) as client:
            runs = KubeflowRuns(client, settings)
            run_id = runs.submit(training, parameters)
            out.print(f"submitted as run {run_id}")
            if wait and show_steps(follow(runs, run_id)).state != "succeeded":
                raise typer.Exit(FAILED)
