"""Compares two models on the same queries: NDCG@10, its paired difference and significance, by slice."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from components.metrics.attribute_slices import Masks
from components.metrics.bootstrap import MIN_USERS, intervals, paired_p_values
from serving.release.arrays import AnyFloatArray

LEVEL: Final = 0.05
CORRECTION: Final = (
    "Intervals are 95 %, by a paired bootstrap over users; p values are of a two-sided randomisation test "
    "over users. Over all slices of both comparisons the p values are adjusted by Benjamini and Hochberg "
    "(1995): among the slices that are marked, at most 5 % are expected to be marked by chance. The first "
    "row, all queries, is the main comparison and is not adjusted. With fewer than "
    f"{MIN_USERS} users there is no test."
)


@dataclass(frozen=True)
class PairedRow:
    """NDCG@10 of two models on one slice; a slice with too few users has neither interval nor p value."""

    dimension: str  # "" for all queries
    label: str
    queries: int
    users: int
    ours: float
    theirs: float
    low: float | None = None  # of ours - theirs, 95 %
    high: float | None = None
    p_value: float | None = None  # adjusted, except for all queries

    @property
    def difference(self) -> float:
        return self.ours - self.theirs

    @property
    def verdict(self) -> str:
        """ "better" or "worse" if the difference is significant, else "same", or "few users"."""
        if self.p_value is None:
            return "few users"
        if self.p_value >= LEVEL or not self.difference:
            return "same"
        return "better" if self.difference > 0 else "worse"


def compare(
    ours: AnyFloatArray, theirs: AnyFloatArray, users: NDArray[np.int64], slices: dict[str, Masks], seed: int
) -> list[PairedRow]:
    """Return a row for all queries, then one for each slice that has a query; p values are not adjusted yet.

    Args:
        ours, theirs: [queries] NDCG@10.
        users: [queries] number of the query's user.
    """
    everything = {"": {"all queries": np.ones(len(ours), bool)}}
    return [
        _row(dimension, label, ours[mask], theirs[mask], users[mask], seed)
        for dimension, masks in (everything | slices).items()
        for label, mask in masks.items()
        if mask.any()
    ]


def adjust(comparisons: Sequence[list[PairedRow]]) -> list[list[PairedRow]]:
    """Adjust the p values of the slices of all comparisons together."""
    from scipy.stats import false_discovery_control  # takes a second to import; only a live version needs it

    tested = [row for rows in comparisons for row in rows if row.dimension and row.p_value is not None]
    if not tested:
        return list(comparisons)
    adjusted = dict(
        zip(map(id, tested), false_discovery_control([row.p_value for row in tested]), strict=True)
    )
    return [
        [replace(row, p_value=float(adjusted[id(row)])) if id(row) in adjusted else row for row in rows]
        for rows in comparisons
    ]


def _row(
    dimension: str,
    label: str,
    ours: AnyFloatArray,
    theirs: AnyFloatArray,
    users: NDArray[np.int64],
    seed: int,
) -> PairedRow:
    numbers = np.unique(users, return_inverse=True)[1]
    n_users = int(numbers.max()) + 1
    row = PairedRow(dimension, label, len(ours), n_users, float(ours.mean()), float(theirs.mean()))
    if n_users < MIN_USERS:
        return row
    low, high = intervals((ours - theirs)[:, None], numbers, seed)[:, 0].tolist()
    p_value = float(paired_p_values(ours[:, None], theirs[:, None], numbers, seed)[0])
    return replace(row, low=low, high=high, p_value=p_value)
