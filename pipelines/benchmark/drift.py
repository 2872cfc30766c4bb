"""Interest drift in a benchmark: the mean over the seeds, and the tables that show it."""

import statistics
from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from components.evaluate_release.model_names import LABELS


def mean_drift(evaluations: list[dict[str, Any]]) -> dict[str, Any]:
    """`drift` of the seeds' `metrics.json`: lists and shares by their mean, counts of each seed.

    A kind of users is there when every seed measured it: which users are left out hangs on the models.
    """
    found = [evaluation["drift"] for evaluation in evaluations]
    kinds = [kind for kind in found[0]["kinds"] if all(kind in other["kinds"] for other in found)]
    return {
        "steps": found[0]["steps"],
        "item_groups": found[0]["item_groups"],
        "why": next((drift["why"] for drift in found if drift["why"]), ""),
        "kinds": {kind: _mean_kind([drift["kinds"][kind] for drift in found]) for kind in kinds},
    }


def _mean_kind(seeds: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "users": [seed["users"] for seed in seeds],
        "base_rate": statistics.fmean(seed["base_rate"] for seed in seeds),
        "models": {
            model: _mean_model([seed["models"][model] for seed in seeds]) for model in seeds[0]["models"]
        },
    }


def _mean_model(seeds: list[dict[str, Any]]) -> dict[str, Any]:
    lists = {
        name: [statistics.fmean(step) for step in zip(*(seed[name] for seed in seeds), strict=True)]
        for name in ("share", "hit_rate")
    }
    return {
        **lists,
        "interactions_to_follow": [seed["interactions_to_follow"] for seed in seeds],
        "followed": statistics.fmean(seed["followed"] for seed in seeds),
    }


def drift_tables(drift: dict[str, Any], titles: Mapping[str, str]) -> Iterator[Table | str]:
    """A table for each kind of users, and why one is missing; `titles`: what models are called beside it."""
    for kind, found in drift["kinds"].items():
        yield _table(kind, found, drift["steps"], {**LABELS, **titles})
    if drift["why"]:
        yield drift["why"]


def _table(kind: str, found: dict[str, Any], steps: list[int], titles: Mapping[str, str]) -> Table:
    users = "/".join(map(str, dict.fromkeys(found["users"])))
    table = Table(
        "model",
        title=f"Interest drift of {users} {kind} users: % of the ten of a new taste, by interactions with it",
        title_justify="left",
        caption=f"base rate {found['base_rate']:.0%}; to follow: until half of the ten are of the new taste, "
        "the median user; followed: users whose ten ever were",
        caption_justify="left",
    )
    for heading in (*map(str, steps), "to follow", "followed"):
        table.add_column(heading, justify="right")
    for model, following in found["models"].items():
        shares = [f"{100 * share:.0f}" for share in following["share"]]
        counts = dict.fromkeys(following["interactions_to_follow"])
        needed = "/".join(f"> {steps[-1]}" if count is None else str(count) for count in counts)
        table.add_row(titles[model], *shares, needed, f"{following['followed']:.0%}")
    return table
