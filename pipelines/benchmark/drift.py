"""Averages the interest drift of a benchmark over the seeds, and builds its tables."""

import statistics
from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from components.model_names import LABELS


def mean_drift(evaluations: list[dict[str, Any]]) -> dict[str, Any]:
    """Combine the `drift` of each seed's `metrics.json`: shares are means, counts are lists over the seeds.

    A kind of users (real, simulated) is left out unless every seed measured it: the models decide which users
    qualify.
    """
    drifts = [evaluation["drift"] for evaluation in evaluations]
    kinds = [kind for kind in drifts[0]["kinds"] if all(kind in drift["kinds"] for drift in drifts)]
    return {
        "steps": drifts[0]["steps"],
        "item_groups": drifts[0]["item_groups"],
        "why": next((drift["why"] for drift in drifts if drift["why"]), ""),
        "kinds": {kind: _mean_kind([drift["kinds"][kind] for drift in drifts]) for kind in kinds},
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
    return {
        "share": _mean_list([seed["share"] for seed in seeds]),
        "hit_rate": _mean_list([seed["hit_rate"] for seed in seeds]),
        "interactions_to_follow": [seed["interactions_to_follow"] for seed in seeds],
        "followed": statistics.fmean(seed["followed"] for seed in seeds),
    }


def _mean_list(lists: list[list[float]]) -> list[float]:
    return [statistics.fmean(values) for values in zip(*lists, strict=True)]


def drift_tables(drift: dict[str, Any], titles: Mapping[str, str]) -> Iterator[Table | str]:
    """Yield a table per kind of users, and the reason if a kind was not measured.

    Args:
        titles: model -> title, where it differs from the evaluation report.
    """
    for kind, results in drift["kinds"].items():
        yield _table(kind, results, drift["steps"], {**LABELS, **titles})
    if drift["why"]:
        yield drift["why"]


def _table(kind: str, results: dict[str, Any], steps: list[int], titles: Mapping[str, str]) -> Table:
    users = "/".join(map(str, dict.fromkeys(results["users"])))
    table = Table(
        "model",
        title=f"Interest drift of {users} {kind} users: share of the top 10 (%) that belongs to the new "
        "interest, by number of interactions with it",
        title_justify="left",
        caption=f"Base rate: {results['base_rate']:.0%}. Median: interactions of the median user until half "
        "of the top 10 belongs to the new interest. Reached: share of users for whom that happened.",
        caption_justify="left",
    )
    for heading in (*map(str, steps), "median", "reached"):
        table.add_column(heading, justify="right")
    for model, metrics in results["models"].items():
        shares = [f"{100 * share:.0f}" for share in metrics["share"]]
        medians = dict.fromkeys(metrics["interactions_to_follow"])
        median = "/".join(f"> {steps[-1]}" if count is None else str(count) for count in medians)
        table.add_row(titles[model], *shares, median, f"{metrics['followed']:.0%}")
    return table
