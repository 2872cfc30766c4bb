"""Tables of schedules and of runs."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from pipelines.commands.errors import out
from pipelines.run_history import FAILED, Run

if TYPE_CHECKING:
    from pipelines.kubeflow.schedules import Schedule

_STYLES = {"succeeded": "green", "running": "yellow", **dict.fromkeys(FAILED, "red")}


def schedules_table(schedules: "Iterable[Schedule]") -> Table:
    """Show each schedule with its next run."""
    table = Table("name", "cron", "time zone", "state", "next run (UTC)")
    for schedule in schedules:
        times = schedule.cron.next_times(datetime.now(UTC), 1) if schedule.enabled else []
        table.add_row(
            Text(schedule.name),
            schedule.cron.expression,
            schedule.cron.timezone,
            "enabled" if schedule.enabled else "paused",
            *(f"{time.astimezone(UTC):%Y-%m-%d %H:%M}" for time in times),
        )
    return table


def parameters_table(parameters: dict[str, Any]) -> Table:
    """Show the parameters that are not empty."""
    table = Table("parameter", "value")
    for name, value in sorted(parameters.items()):
        if value not in ("", {}):
            table.add_row(Text(name), Text(value if isinstance(value, str) else json.dumps(value)))
    return table


def runs_table(runs: Iterable[Run]) -> Table:
    """Show each run with its state, duration and facts."""
    table = Table(Column("run", no_wrap=True), "name", "state", "started (UTC)", "took", "verdict", "version")
    for run in runs:
        table.add_row(
            run.run_id,
            Text(run.name),
            _state(run.state),
            _time(run.started),
            _took(run.started, run.ended, run.has_ended),
            run.facts.get("verdict", ""),
            run.facts.get("version", ""),
        )
    return table


def steps_table(run: Run) -> Table:
    """Show the steps of a run."""
    table = Table("step", "state", "took", "error", title=f"run {run.run_id}: {run.state}")
    for step in run.steps:
        table.add_row(
            Text(step.name),
            _state(step.state),
            _took(step.started, step.ended, run.has_ended),
            Text(step.error),
        )
    return table


def facts_table(run: Run) -> Table:
    """Show what is known of a run besides its steps."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in run.facts.items():
        table.add_row(name, Text(value))
    return table


def show_steps(states: Iterator[Run]) -> Run:
    """Show the steps of a run while its state changes; return its last state.

    Without a terminal they are shown once, at the end.
    """
    run = next(states)
    if not out.is_terminal:
        *_, run = (run, *states)
        out.print(steps_table(run))
        return run
    with Live(steps_table(run), console=out) as live:
        for run in states:
            live.update(steps_table(run))
    return run


def _state(state: str) -> Text:
    return Text(state, style=_STYLES.get(state, ""))


def _time(time: datetime | None) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M}" if time else ""


def _took(started: datetime | None, ended: datetime | None, run_has_ended: bool) -> str:
    if not started or (run_has_ended and not ended):
        return ""
    seconds = ((ended or datetime.now(UTC)) - started).total_seconds()
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
