"""The commands that train: `demo` and `run`."""

from typing import Annotated

import typer

from pipelines.commands.errors import exit_on_error, out
from pipelines.commands.options import (
    AllPositive,
    Columns,
    Dataset,
    DayFirst,
    Exposure,
    FileReading,
    Home,
    Hyperparameter,
    Interactions,
    ItemColumns,
    Items,
    MinValue,
    Negative,
    Neutral,
    Policy,
    Positive,
    Protocol,
    Source,
    TimeFormat,
    Timezone,
    UserColumns,
    Users,
)


def run(
    dataset: Dataset = "",
    interactions: Interactions = None,
    items: Items = None,
    users: Users = None,
    columns: Columns = None,
    item_columns: ItemColumns = None,
    user_columns: UserColumns = None,
    timezone: Timezone = None,
    time_format: TimeFormat = None,
    day_first: DayFirst = None,
    positive: Positive = None,
    negative: Negative = None,
    neutral: Neutral = None,
    exposure: Exposure = None,
    min_value: MinValue = None,
    all_positive: AllPositive = None,
    reading: FileReading = None,
    source: Source = None,
    home: Home = None,
    protocol: Protocol = "time",
    policy: Policy = None,
    max_failed_share: Annotated[
        float, typer.Option(help="Stop if more than this share of the interactions fails validation.")
    ] = 0.05,
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
        from pipelines.pipeline_arguments import (
            feedback_arguments,
            parse_hyperparameters,
            reading_arguments,
            source_arguments,
            training_arguments,
        )
        from pipelines.runner import run_locally
        from pipelines.settings import load_settings
        from pipelines.training_pipeline import training

        settings = load_settings(home=home, policy=policy)
        hyperparameters = parse_hyperparameters(hyperparameter or [])
        arguments = training_arguments(settings, protocol, max_failed_share, hyperparameters)
        arguments |= source_arguments(dataset, interactions, items, users)
        arguments |= reading_arguments(
            columns=columns,
            item_columns=item_columns,
            user_columns=user_columns,
            timezone=timezone,
            time_format=time_format,
            day_first=day_first,
            source=source,
            files=reading,
        )
        arguments |= feedback_arguments(positive, negative, neutral, exposure, min_value, all_positive)
        folder = run_locally(training, settings, arguments)
        out.print(metrics_table(folder))
        out.print(f"Evaluation report: {folder / 'report.html'}", soft_wrap=True)
        out.print(f"Log and outputs of the run: {folder}", soft_wrap=True)


def demo(
    dataset: Annotated[
        str, typer.Argument(help="A public data set; `penchant data` lists them. Default: movielens-100k.")
    ] = "",
    interactions: Interactions = None,
    items: Items = None,
    users: Users = None,
    columns: Columns = None,
    item_columns: ItemColumns = None,
    user_columns: UserColumns = None,
    timezone: Timezone = None,
    time_format: TimeFormat = None,
    day_first: DayFirst = None,
    positive: Positive = None,
    negative: Negative = None,
    neutral: Neutral = None,
    exposure: Exposure = None,
    min_value: MinValue = None,
    all_positive: AllPositive = None,
    reading: FileReading = None,
    source: Source = None,
    home: Home = None,
    hyperparameter: Hyperparameter = None,
) -> None:
    """Train, approve, serve, request recommendations, record three interactions, and request again.

    It takes about two minutes on MovieLens 100K. With `--interactions` and `--items` it uses your own data;
    the items need categories.

    ```
    penchant demo
    penchant demo movielens-1m
    penchant demo --interactions interactions.csv --items items.csv
    ```
    """
    with exit_on_error():
        from pipelines.demo import run_demo
        from pipelines.pipeline_arguments import (
            feedback_arguments,
            parse_hyperparameters,
            reading_arguments,
        )

        hyperparameters = parse_hyperparameters(hyperparameter or [])
        arguments = reading_arguments(
            columns=columns,
            item_columns=item_columns,
            user_columns=user_columns,
            timezone=timezone,
            time_format=time_format,
            day_first=day_first,
            source=source,
            files=reading,
        )
        feedback = feedback_arguments(positive, negative, neutral, exposure, min_value, all_positive)
        run_demo(dataset, interactions, items, users, home, hyperparameters, arguments | feedback, out)
