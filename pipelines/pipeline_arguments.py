"""A pipeline's parameters, from settings and from what a person typed."""

import json
from pathlib import Path
from typing import Any

from components.errors import StepError
from components.train_interest_model.hyperparameters import Hyperparameters
from pipelines.settings import Settings

_ADDRESSES = (
    "warehouse",
    "interaction_log",
    "registry",
    "online_store",
    "tracking_uri",
    "releases",
    "model_server",
    "policy",
    "experiment",
    "model_name",
)


def training_arguments(
    settings: Settings, protocol: str, max_failed_share: float, hyperparameters: dict[str, Any]
) -> dict[str, Any]:
    """The training pipeline's parameters, all but its sources."""
    return {
        **{name: getattr(settings, name) for name in _ADDRESSES},
        "protocol": protocol,
        "max_failed_share": max_failed_share,
        "hyperparameters": hyperparameters,
    }


def source_arguments(
    dataset: str, interactions: Path | None, items: Path | None, users: Path | None
) -> dict[str, str]:
    """The training pipeline's sources.

    Raises:
        ValueError: they contradict each other.
    """
    files = {"interactions_file": interactions, "items_file": items, "users_file": users}
    if dataset and any(files.values()):
        raise ValueError("give --dataset or --interactions, not both: one home holds one catalog")
    if (items or users) and not interactions:
        raise ValueError("--items and --users describe --interactions: give that too")
    return {
        "dataset": dataset,
        **{name: str(file.absolute()) if file else "" for name, file in files.items()},
    }


def parse_hyperparameters(pairs: list[str]) -> dict[str, Any]:
    """`["epochs=5"]` -> {"epochs": 5}; a value that isn't JSON is text.

    Raises:
        ValueError: a pair without "=", an unknown name, or a value that the name does not take.
    """
    parsed: dict[str, Any] = {}
    for pair in pairs:
        name, found, value = pair.partition("=")
        if not found:
            raise ValueError(f"--set {pair}: expected name=value, such as epochs=5")
        try:
            parsed[name] = json.loads(value)
        except json.JSONDecodeError:
            parsed[name] = value
    try:
        Hyperparameters.from_dict(parsed)
    except StepError as error:
        raise ValueError(f"--set: {error}") from error
    return parsed
