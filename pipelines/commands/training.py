"""The commands that train: `demo` and `run`."""

from typing import Annotated

import typer

from pipelines.commands.data_options import DataOptions, with_data_options
from pipelines.commands.errors import exit_on_error, out
from pipelines.commands.options import Home, Hyperparameter, MaxFailedShare, Policy, Protocol


@with_data_options
def run(
    data: DataOptions,
    home: Home = None,
    protocol: Protocol = "time",
    policy: Policy = None,
    max_failed_share: MaxFailedShare = 0.05,
    hyperparameter: Hyperparameter = None,
) -> None:
    """Run the training pipeline on this machine.

    It ingests and validates interactions, builds features, trains and evaluates a release, and registers it.
    A release that is shown to be better than the live one goes live, unless `--policy review` leaves the
    decision to a person; the first release goes live unless it is worse than the best baseline.
    Every run also learns from the interactions that the recommender recorded since the last one.

    ```
    penchant run --dataset movielens-100k
    penchant run --dataset movielens-100k --set epochs=5 --policy review
    penchant run --interactions interactions.csv --items items.csv
    penchant run --interactions shop.csv --positive reorder=3 --negative broken
    penchant run                          # again, with recorded interactions
    ```
    """
    with exit_on_error():
        from pipelines.commands.tables import metrics_table
        from pipelines.pipeline_arguments import parse_hyperparameters, training_arguments
        from pipelines.runner import run_locally
        from pipelines.settings import load_settings
        from pipelines.training_pipeline import training

        settings = load_settings(home=home, policy=policy)
        hyperparameters = parse_hyperparameters(hyperparameter or [])
        arguments = training_arguments(settings, protocol, max_failed_share, hyperparameters)
        arguments |= data.source_arguments() | data.meaning_arguments()
        folder = run_locally(training, settings, arguments)
        out.print(metrics_table(folder))
        out.print(f"Evaluation report: {folder / 'report.html'}", soft_wrap=True)
        out.print(f"Log and outputs of the run: {folder}", soft_wrap=True)


@with_data_options
def demo(
    data: DataOptions,
    dataset: Annotated[
        str, typer.Argument(help="A public data set; `penchant data` lists them. Default: movielens-100k.")
    ] = "",
    home: Home = None,
    hyperparameter: Hyperparameter = None,
) -> None:
    """Train, approve, serve, request recommendations, record three interactions, and request again.

    It takes two to six minutes on MovieLens 100K. With `--interactions` and `--items` it uses your own data;
    the items need categories.

    ```
    penchant demo
    penchant demo movielens-1m
    penchant demo --interactions interactions.csv --items items.csv
    ```
    """
    with exit_on_error():
        from pipelines.demo import run_demo
        from pipelines.pipeline_arguments import parse_hyperparameters

        hyperparameters = parse_hyperparameters(hyperparameter or [])
        meaning = data.meaning_arguments()
        run_demo(dataset, data.interactions, data.items, data.users, home, hyperparameters, meaning, out)
