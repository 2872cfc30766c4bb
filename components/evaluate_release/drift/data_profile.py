"""Summarises the data that a version was trained on, so that a later version can be compared with it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from components.evaluate_release.data.snapshot import Snapshot
from components.metrics.list_metrics import gini
from serving.release.catalog import Catalog

TOP_SHARES: Final = (0.01, 0.1)


@dataclass(frozen=True)
class DataProfile:
    """Counts and mixes of all interactions of a snapshot; a mix maps a name to its number of interactions."""

    interactions: int
    users: int
    items: int  # with an interaction
    catalog: int  # items that can be recommended
    first: int  # µs, the oldest interaction
    last: int  # µs, the newest one
    event_types: dict[str, float]
    values: dict[str, float]  # such as ratings; empty for too many different ones
    categories: dict[str, float]  # an interaction is split over the categories of its item
    top_shares: dict[str, float]  # "1 %" -> the share of all interactions that the top 1 % of the items have
    gini: float  # of the interactions over the items of the catalog


def profile(snapshot: Snapshot, catalog: Catalog) -> DataProfile:
    """Summarise all interactions.

    Raises:
        ValueError: there is none.
    """
    if not snapshot.interactions:
        raise ValueError("the training set has no interaction in its split 'all': build the features again")
    ordered = np.sort(snapshot.item_counts)[::-1]
    total = max(int(ordered.sum()), 1)
    return DataProfile(
        interactions=snapshot.interactions,
        users=len(snapshot.users),
        items=snapshot.items,
        catalog=len(catalog),
        first=snapshot.first,
        last=snapshot.last,
        event_types=_mix(snapshot.event_types),
        values=_value_mix(snapshot.values),
        categories=_category_mix(catalog, snapshot.item_counts),
        top_shares={
            f"{share:.0%}".replace("%", " %"): float(
                ordered[: max(1, round(share * len(ordered)))].sum() / total
            )
            for share in TOP_SHARES
        },
        gini=gini(snapshot.item_counts),
    )


def _mix(counts: Mapping[str, int]) -> dict[str, float]:
    return {
        name: float(count) for name, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    }


def _value_mix(counts: Mapping[float, int]) -> dict[str, float]:
    if len(counts) < 2:
        return {}
    return {f"{value:g}": float(count) for value, count in sorted(counts.items())}


def _category_mix(catalog: Catalog, counts: NDArray[np.int64]) -> dict[str, float]:
    mix = Counter[str]()
    for categories, count in zip(catalog.categories, counts.tolist(), strict=True):
        for category in categories:
            mix[category] += count / len(categories)
    return dict(sorted(mix.items(), key=lambda pair: (-pair[1], pair[0])))
