"""Tables of schedules and of runs on Kubeflow."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from pipelines.commands.errors import out
from pipelines.kubeflow.runs import KubeflowRun
from pipelines.kubeflow.schedules import Schedule

_STYLES = {"SUCCEEDED": "green", "FAILED": "red", "CANCELED": "red", "RUNNING": "yellow"}


def schedules_table(schedules: Iterable[Schedule]) -> Table:
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


def runs_table(runs: Iterable[KubeflowRun]) -> Table:
    """Show each run with its state and duration."""
    table = Table(Column("run", no_wrap=True), "name", "state", "started (UTC)", "took")
    for run in runs:
        table.add_row(
            run.run_id, Text(run.name), _state(run.state), _time(run.started), _took(run.started, run.ended)
        )
    return table


def steps_table(run: KubeflowRun) -> Table:
    """Show the steps of a run."""
    table = Table("step", "state", "took", "error", title=f"run {run.run_id}: {run.state.lower()}")
    for step in run.steps:
        table.add_row(Text(step.name), _state(step.state), _took(step.started, step.ended), Text(step.error))
    return table


def follow(states: Iterator[KubeflowRun]) -> KubeflowRun:
    """Show the steps of a run while its state changes; return its last state."""
    run = next(states)
    with Live(steps_table(run), console=out) as live:
        for run in states:
            live.update(steps_table(run))
    return run


def _state(state: str) -> Text:
    return Text(state.lower(), style=_STYLES.get(state, ""))


def _time(time: datetime | None) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M}" if time else ""


def _took(started: datetime | None, ended: datetime | None) -> str:
    if not started:
        return ""
    seconds = ((ended or datetime.now(UTC)) - started).total_seconds()
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
