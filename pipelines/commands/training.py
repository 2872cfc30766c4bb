"""The commands that train: `demo` and `run`."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.commands.data_options import DataOptions, with_data_options
from pipelines.commands.errors import exit_on_error, go_on_after_error, out
from pipelines.commands.options import CronTimezone, Home, Hyperparameter, MaxFailedShare, Policy, Protocol

if TYPE_CHECKING:
    from components.check_schedule.cron import Cron
    from pipelines.settings import Settings

Every = Annotated[
    str | None,
    typer.Option(
        metavar="CRON",
        help="Do not run now, but at these times until Ctrl-C or SIGTERM: minute, hour, day of month, "
        "month, day of week; '0 3 * * *' is 03:00 daily. A missed time runs once, at the next start.",
    ),
]
Epsilon = Annotated[
    float | None,
    typer.Option(
        metavar="NUMBER",
        help="Train with differential privacy for each user: ingest, draw a data set under this epsilon, "
        "and train on it alone, in a home with `-private` at its end. PENCHANT_PRIVACY_BUDGET bounds all "
        "draws together.",
    ),
]


@with_data_options
def run(
    data: DataOptions,
    home: Home = None,
    protocol: Protocol = "time",
    policy: Policy = None,
    max_failed_share: MaxFailedShare = 0.05,
    hyperparameter: Hyperparameter = None,
    every: Every = None,
    cron_timezone: CronTimezone = None,
    epsilon: Epsilon = None,
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
    penchant run --every '0 3 * * *' --cron-timezone Europe/London
    penchant run --dataset movielens-1m --min-value 4 --epsilon 8
    ```
    """
    with exit_on_error():
        from components.compute.address import Compute
        from components.compute.spark_session import check_installed
        from pipelines.local_run.runner import check_local_run
        from pipelines.pipeline_arguments import parse_hyperparameters, training_arguments
        from pipelines.settings import load_settings

        cron = _cron(every, cron_timezone)
        if cron and epsilon is not None:
            raise ValueError(
                "--epsilon can't be used with --every: each run would spend a part of the privacy budget, "
                "until nothing is left"
            )
        settings = given = load_settings(home=home, policy=policy)
        if epsilon is not None:
            from pipelines.privacy.private_run import private_settings

            settings = private_settings(given)
        check_installed(Compute(settings.compute))
        hyperparameters = {"warm_start": True} if cron else {}
        hyperparameters |= parse_hyperparameters(hyperparameter or [])
        sources = data.source_arguments() | data.meaning_arguments()
        arguments = training_arguments(settings, protocol, max_failed_share, hyperparameters)
        check_local_run(settings, arguments)  # now, before a draw spends, and not at night
        arguments |= sources if epsilon is None else _drawn(given, settings, epsilon, sources)
        train = partial(_train, settings, arguments)
        if cron:
            _run_at_times(cron, settings, train)
        else:
            train()


def _cron(every: str | None, timezone: str | None) -> "Cron | None":
    """Parse the options --every and --cron-timezone.

    Raises:
        ValueError: one of them is wrong, or there is a time zone alone.
    """
    from components.check_schedule.cron import Cron

    if every is None:
        if timezone is not None:
            raise ValueError(f"--cron-timezone={timezone}: expected together with --every CRON")
        return None
    try:
        return Cron.parse(every, timezone or "UTC")
    except ValueError as error:
        raise ValueError(f"--every, --cron-timezone: {error}") from error


def _drawn(
    settings: "Settings", private: "Settings", epsilon: float, sources: dict[str, Any]
) -> dict[str, str]:
    """Draw from a home; return the sources of the private run, and print how to train on them again.

    Raises:
        As `draw_sources`.
    """
    from pipelines.privacy.private_run import draw_sources

    about, drawn = draw_sources(settings, private, epsilon, sources)
    out.print(str(about))
    files = f"--interactions {drawn['interactions_file']} --items {drawn['items_file']}"
    again = f"penchant run --home {private.home} {files}"
    out.print(f"To train on it again, which costs no more: {again}", soft_wrap=True)
    return drawn


def _train(settings: "Settings", arguments: dict[str, Any], started_by: str = "") -> None:
    """Run the training pipeline, and print how good the release is and where its files are."""
    from pipelines.commands.tables.metrics import metrics_table
    from pipelines.local_run.run_page import PAGE
    from pipelines.local_run.runner import run_locally
    from pipelines.training_pipeline import training

    folder = run_locally(training, settings, arguments, started_by)
    out.print(metrics_table(folder))
    out.print(f"The dossier of the new version: {folder / 'report.html'}", soft_wrap=True)
    out.print(f"Where the time went: {folder / PAGE}", soft_wrap=True)
    out.print(f"Log and outputs of the run: {folder}", soft_wrap=True)


def _run_at_times(cron: "Cron", settings: "Settings", train: Callable[[str], None]) -> None:
    """Train at each time of a schedule, until Ctrl-C or SIGTERM."""
    from datetime import UTC, datetime

    from pipelines.local_run.schedule import LocalSchedule, run_at_times
    from pipelines.local_run.termination import interrupted_by_sigterm

    def night() -> None:
        with go_on_after_error():
            settings.open_home()  # it may have been locked since the last night
            schedule.save()
            train(f"schedule {cron.expression} ({cron.timezone})")

    def announce(next_time: datetime) -> None:
        missed = next_time <= datetime.now(UTC)
        out.print(f"{'missed, starts now' if missed else 'next run'}: {next_time:%a %Y-%m-%d %H:%M %Z}")

    schedule = LocalSchedule(settings.home, cron)
    with interrupted_by_sigterm():
        try:
            run_at_times(schedule, night, announce)
        except KeyboardInterrupt:
            out.print("stopped")


@with_data_options
def demo(
    data: DataOptions,
    dataset: Annotated[
        str, typer.Argument(help="A public data set; `penchant data` lists them. Default: movielens-100k.")
    ] = "",
    visits: Annotated[int, typer.Option(min=0, help="Simulated visits at the end; 0 for none.")] = 2_000,
    home: Home = None,
    hyperparameter: Hyperparameter = None,
) -> None:
    """Train, approve, serve, request recommendations, record three interactions, and request again.

    Then simulated users visit and click, while the release is interleaved with a variant of itself, and the
    verdict is printed. It takes two to six minutes on MovieLens 100K. With `--interactions` and `--items` it
    uses your own data; the items need categories.

    ```
    penchant demo
    penchant demo movielens-1m
    penchant demo --interactions interactions.csv --items items.csv
    ```
    """
    with exit_on_error():
        from pipelines.commands.demo import run_demo
        from pipelines.pipeline_arguments import parse_hyperparameters

        hyperparameters = parse_hyperparameters(hyperparameter or [])
        meaning = data.meaning_arguments()
        run_demo(
            dataset, data.interactions, data.items, data.users, home, hyperparameters, meaning, visits, out
        )
