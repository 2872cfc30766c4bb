"""What `penchant experiment` prints."""

from collections.abc import Iterator
from datetime import datetime

from rich.table import Table

from serving.experiments.experiment import Experiment


def experiment_parts(shown: Experiment, now: datetime) -> Iterator[str | Table]:
    """Yield a sentence, a table of the arms, the planned steps, and the acts."""
    state = "running" if shown.is_running else "stopped"
    concerned = (
        "" if shown.requests is None else f", of requests with the scenario {shown.requests or '(none)'}"
    )
    yield f"{shown.kind} {shown.name}: {state}{concerned}"
    table = Table("arm", "answers with", "users")
    for number, arm in enumerate(shown.arms):
        share = shown.share_at(now.timestamp()) if arm.share is None else arm.share
        is_rest = arm.share is None and number == 0
        table.add_row(arm.name, arm.describe(), f"{100 * (1 - share if is_rest else share):g} %")
    yield table
    for step in shown.ramp:
        if step.at > now:
            yield f"from {step.at:%Y-%m-%d %H:%M} UTC: {100 * step.share:g} %"
    for act in shown.acts:
        reason = f": {act.reason}" if act.reason else ""
        yield f"{act.at:%Y-%m-%d %H:%M:%S} UTC  {act.what} by {act.by}{reason}"
