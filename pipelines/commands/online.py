"""The commands of `penchant online`: what users did with what they were shown."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from feature_repo.counts import counted
from pipelines.commands.errors import exit_on_error, out
from pipelines.commands.options import Home

if TYPE_CHECKING:
    from components.evaluate_online.candidate_estimates import CandidateEvaluation
    from pipelines.settings import Settings

online = typer.Typer(
    help="""Evaluate what was shown, from the exposures and interactions that the recommender recorded.

```
penchant online report --days 7 --open
penchant online export shown/ --days 30
penchant online evaluate 7 --scenario explore
```
""",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

Days = Annotated[float, typer.Option(min=0.001, help="The length of the window, in days.")]
Until = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="The end of the window, UTC. Default: now."),
]


@online.command()
def report(
    days: Days = 7.0,
    until: Until = None,
    touch: Annotated[
        Literal["first", "last"],
        typer.Option(
            help="The answer to which an interaction without a request id belongs: the first or the last one "
            "that showed the item to the user within --window-hours."
        ),
    ] = "last",
    window_hours: Annotated[
        float, typer.Option(min=0.001, help="How long after an answer such an interaction can belong to it.")
    ] = 24.0,
    conversion: Annotated[
        list[str] | None,
        typer.Option(
            metavar="EVENT_TYPE",
            help="An event type that is a conversion; repeat the option. "
            "Default: purchase, subscribe, install, apply, contact.",
        ),
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    home: Home = None,
) -> None:
    """Show click-through, conversion, dismissals, dwell, satisfaction, coverage and novelty as shown.

    By release, scenario, arm, basis, source, place, day and segment of users, with 95 % intervals; the page
    says the same. With PENCHANT_PROVIDER_COLUMN also the share of exposure that each provider had, by day, or
    by week if the window is longer than 21 days. The figures by label also go to PENCHANT_PUSHGATEWAY and
    PENCHANT_METRICS_TEXTFILES, where these are set.

    ```
    penchant online report --days 7 --open
    penchant online report --until 2026-11-01 --touch first
    PENCHANT_PROVIDER_COLUMN=seller penchant online report --days 56
    penchant online report --conversion purchase --conversion cart
    ```
    """
    with exit_on_error():
        from components.evaluate_online.attribution import CONVERSIONS
        from components.evaluate_online.online_gauges import online_gauges, publish
        from components.evaluate_online.online_report import Attribution, evaluate_online
        from components.evaluate_online.page import render
        from feature_repo.atomic_files import write_text_atomically
        from pipelines.commands.tables.online import online_tables
        from pipelines.settings import load_settings

        settings = load_settings(home=home)
        settings.prepare_home()
        start, end = _window(days, until)
        attribution = Attribution(window_hours, touch, tuple(conversion or CONVERSIONS))
        evaluated = evaluate_online(
            settings.interaction_log,
            settings.warehouse,
            start,
            end,
            attribution,
            provider_column=settings.provider_column,
        )
        for part in online_tables(evaluated, out.width):
            out.print(part)
        file = settings.home / "online" / "report.html"
        write_text_atomically(file, render(evaluated))
        publish(online_gauges(evaluated), settings.pushgateway, settings.metrics_textfiles)
        out.print(f"The page: {file}", soft_wrap=True)
        if open_page:
            typer.launch(str(file))


@online.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Where exposures.parquet and events.parquet are written.")],
    days: Days = 7.0,
    until: Until = None,
    home: Home = None,
) -> None:
    """Write what was shown, and what users did from then on, as Parquet files; they hold user ids.

    ```
    penchant online export shown/ --days 30
    ```
    """
    with exit_on_error():
        from components.evaluate_online.recorded_window import read_window
        from components.ingest_interactions.warehouse.manifest import Warehouse
        from pipelines.settings import load_settings

        settings = load_settings(home=home)
        start, end = _window(days, until)
        store = Warehouse(settings.warehouse)
        recorded = read_window(settings.interaction_log, store, start, end, end, folder)
        out.print(f"{counted(recorded.answers, 'answer')}: {recorded.exposures}", soft_wrap=True)


@online.command()
def evaluate(
    release: Annotated[int, typer.Argument(help="A published release.")],
    scenario: Annotated[str, typer.Option(help="A scenario that explores, whose answers are used.")],
    days: Days = 1.0,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=100, help="At most this many answers, the newest.")] = 5_000,
    home: Home = None,
) -> None:
    """Estimate the clicks per answer of another release, from the answers that a scenario explored.

    By IPS, SNIPS, DR and Switch-DR, with 95 % intervals; refuses if the answers can't tell. Each request is
    answered again by the release, with the user's history of then.

    ```
    penchant online evaluate 7 --scenario explore
    ```
    """
    with exit_on_error():
        import asyncio

        from pipelines.commands.tables.online import candidate_table
        from pipelines.settings import load_settings

        settings = load_settings(home=home)
        candidate = asyncio.run(_evaluate(settings, release, scenario, _window(days, until), limit))
        for reason, count in candidate.left_out.items():
            out.print(f"left out: {counted(count, 'answer')}: {reason}", style="dim", soft_wrap=True)
        out.print(candidate_table(release, candidate))


async def _evaluate(
    settings: "Settings", release: int, scenario: str, window: tuple[int, int], limit: int
) -> "CandidateEvaluation":
    from components.evaluate_online.candidate_evaluation import evaluate_candidate
    from components.evaluate_online.clicked_answers import clicked_answers
    from pipelines.opened_replayer import open_release, open_replayer
    from pipelines.pipeline_arguments import off_policy_options
    from serving.exposures.exposure_store import ExposureStore

    clicks = clicked_answers(settings.interaction_log, settings.warehouse, *window)
    store = ExposureStore(settings.interaction_log)
    try:
        async with open_replayer(settings, store) as replayer:
            exposures = chain.from_iterable(store.between(*window))
            opened = open_release(settings, release)
            options = replace(off_policy_options(settings), answers=limit)
            return await evaluate_candidate(exposures, clicks, replayer, opened, scenario, options)
    finally:
        store.close()


def _window(days: float, until: datetime | None) -> tuple[int, int]:
    """Return the start and the end of the window, µs since the epoch."""
    moment = until.replace(tzinfo=UTC) if until else datetime.now(UTC)
    end = round(moment.timestamp() * 1_000_000)
    return end - round(days * 86_400_000_000), end
