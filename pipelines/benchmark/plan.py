"""The plan of a benchmark: what is measured, and how."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.ingest_interactions.datasets.registry import REGISTRY


@dataclass(frozen=True)
class Plan:
    """Source, protocol and hyperparameters; "" for a source that is not used."""

    dataset: str
    interactions_file: str
    items_file: str
    min_interactions: int
    protocol: str
    hyperparameters: dict[str, Any]
    feedback: dict[str, Any]  # of FeedbackOptions
    tie_order: int = 0  # of equal times: 0 as in the source, each other number a random order of its own


def make_plan(
    dataset: str,
    interactions: Path | None,
    items: Path | None,
    min_interactions: int,
    protocol: str,
    keep_seen: bool,
    hyperparameters: dict[str, Any],
    feedback: dict[str, Any],
) -> Plan:
    """Check the options of `penchant benchmark` and build the plan.

    Raises:
        ValueError: no source or two, an unknown data set, a missing file, or a hyperparameter that has an
            option of its own.
    """
    if bool(dataset) == bool(interactions):
        raise ValueError(f"give one of {', '.join(REGISTRY)}, or your own --interactions FILE, not both")
    if dataset and dataset not in REGISTRY:
        raise ValueError(f"unknown data set {dataset!r}: expected one of {', '.join(REGISTRY)}")
    if items and not interactions:
        raise ValueError("--items needs --interactions too")
    options = {"seed": "--seeds", "seen_items": "--keep-seen"}
    if conflicts := sorted(options.keys() & hyperparameters.keys()):
        advice = " and ".join(options[name] for name in conflicts)
        raise ValueError(f"--set {', '.join(conflicts)}: use {advice} instead")
    for file in (interactions, items):
        if file and not file.exists():
            raise ValueError(f"file not found: {file}")
    interactions_file, items_file = (str(file.absolute()) if file else "" for file in (interactions, items))
    hyperparameters = {**hyperparameters, "seen_items": "keep" if keep_seen else "filter"}
    return Plan(dataset, interactions_file, items_file, min_interactions, protocol, hyperparameters, feedback)
