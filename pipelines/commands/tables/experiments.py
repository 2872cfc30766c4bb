"""What `penchant experiment` prints."""

from collections.abc import Iterator
from datetime import datetime

from rich.table import Table

from serving.experiments.experiment import Experiment
from serving.experiments.kinds import Kind


def experiment_parts(shown: Experiment, now: datetime) -> Iterator[str | Table]:
    """Yield a sentence, a table of the arms now or at the end, the steps, and the acts."""
    state = "running" if shown.is_running else "stopped"
    moment = now if shown.is_running else shown.acts[-1].at
    concerned = (
        "" if shown.requests is None else f", of requests with the scenario {shown.requests or '(none)'}"
    )
    yield f"{shown.kind} {shown.name}: {state}{concerned}"
    table = Table("arm", "answers with", "users" if shown.is_running else "users at the end")
    for number, arm in enumerate(shown.arms):
        share = shown.share_at(moment.timestamp()) if arm.share is None else arm.share
        table.add_row(arm.name, arm.describe(), _users(shown.kind, is_first=number == 0, share=share))
    yield table
    for step in shown.ramp:
        if step.at <= moment:
            yield f"since {step.at:%Y-%m-%d %H:%M} UTC: {100 * step.share:g} %"
        elif shown.is_running:
            yield f"from {step.at:%Y-%m-%d %H:%M} UTC on: {100 * step.share:g} %"
    if shown.method is not None:
        yield f"method: {shown.method}"
    for act in shown.acts:
        reason = f": {act.reason}" if act.reason else ""
        yield f"{act.at:%Y-%m-%d %H:%M:%S} UTC  {act.what} by {act.by}{reason}"


def _users(kind: Kind, is_first: bool, share: float) -> str:
    """Return the users of an arm, from the share of the users in the experiment, or in the arm."""
    if kind == "interleaving":
        return f"{100 * share:g} %, both in one answer"
    if kind == "shadow":
        return "100 %" if is_first else f"{100 * share:g} %, unseen"
    is_rest = kind == "canary" and is_first
    return f"{100 * (1 - share if is_rest else share):g} %"
