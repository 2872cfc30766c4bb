"""Shows a search of hyperparameters: its trials, and the command that evaluates the best one."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
from components.train_interest_model.hyperparameters import Hyperparameters
from feature_repo.counts import counted
from feature_repo.event_types import Kind
from pipelines.benchmark.plan import Plan

_SHOWN: Final = 10


def tuning_tables(plan: Plan, study: dict[str, Any]) -> Iterator[Table | str]:
    """Yield the best trials, what the best one is worth, and a command line; `study`: a `tuning.Study`."""
    trials, defaults = study["trials"], study["defaults"]
    table = Table("trial", "state", title=f"Best of {counted(len(trials), 'trial')}", title_justify="left")
    table.add_column("epochs", justify="right")
    table.add_column("NDCG@10", justify="right")
    table.add_column("hyperparameters other than the default values")
    ranked = sorted(
        trials, key=lambda trial: (trial["state"] == "complete", trial["value"] or 0), reverse=True
    )
    for trial in ranked[:_SHOWN]:
        changes = _text(_changes(trial, defaults)) or "none: the default values"
        value = "" if trial["value"] is None else f"{trial['value']:.4f}"
        table.add_row(str(trial["number"]), trial["state"], str(trial["epochs"]), value, changes)
    yield table
    complete = [trial for trial in ranked if trial["state"] == "complete"]
    yield _verdict(complete, defaults)
    # All values, not the changes alone: a default value can depend on another one.
    best = complete[0]
    yield f"  {command(plan, best['hyperparameters'] if _changes(best, defaults) else {})}"


def _verdict(complete: list[dict[str, Any]], defaults: dict[str, Any]) -> str:
    best = complete[0]
    if not _changes(best, defaults):
        return "No trial is better than the default values. Their figures on the test split:"
    ours = [trial["value"] for trial in complete if not _changes(trial, defaults)]
    compared = f", {best['value'] / ours[0] - 1:+.1%} against the default values" if ours and ours[0] else ""
    return (
        f"Trial {best['number']} has the best NDCG@10 on the validation split{compared}. The best of "
        f"{len(complete)} trainings with one seed is partly luck. Its figures on the test split, with three "
        "seeds:"
    )


def _changes(trial: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Return the hyperparameters of a trial that differ from the default ones."""
    return {name: value for name, value in trial["hyperparameters"].items() if value != defaults.get(name)}


def _text(hyperparameters: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in hyperparameters.items())


def command(plan: Plan, changes: dict[str, Any]) -> str:
    """Return the command line of `penchant benchmark` for a plan with changed hyperparameters."""
    default = Hyperparameters().to_dict() | {"seen_items": "filter"}
    given = {name: value for name, value in plan.hyperparameters.items() if value != default[name]}
    given.pop("seen_items", None)
    words = ["penchant", "benchmark", *([plan.dataset] if plan.dataset else [])]
    for option, file in (("--interactions", plan.interactions_file), ("--items", plan.items_file)):
        words += [option, _relative(file)] if file else []
    words += [] if plan.min_interactions == 5 else ["--min-interactions", str(plan.min_interactions)]
    words += [] if plan.protocol == "leave-one-out" else ["--protocol", plan.protocol]
    words += ["--keep-seen"] if plan.hyperparameters["seen_items"] == "keep" else []
    words += _feedback_options(FeedbackOptions.parse(plan.feedback))
    for name, value in (given | changes).items():
        words += ["--set", f"{name}={value}"]
    return shlex.join(words)


def _relative(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file


def _feedback_options(options: FeedbackOptions) -> list[str]:
    if options.all_positive:
        return ["--all-positive"]
    words = ["--by-value"]
    for kind in Kind:
        names = [
            f"{name}={options.weights[name]:g}" if name in options.weights else name
            for name, of_name in options.kinds.items()
            if of_name is kind
        ]
        words += [f"--{kind.value}", ",".join(names)] if names else []
    return words + ([] if options.min_value is None else ["--min-value", f"{options.min_value:g}"])
