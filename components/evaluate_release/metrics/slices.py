"""Metrics on slices of the queries: by history length, user and target item."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components.evaluate_release.data.queries import Queries, Times
from components.metrics.accuracy import ndcg, recall
from components.metrics.attribute_slices import USER_ATTRIBUTE, Masks, split_by_attribute
from components.metrics.bootstrap import intervals
from components.metrics.ranked_queries import RankedQueries
from serving.release.arrays import FloatArray
from serving.release.catalog import Catalog

MICROSECONDS_A_DAY = 86_400_000_000


@dataclass(frozen=True)
class Slice:
    """The metrics of one slice; the dicts map a model's name to its value."""

    dimension: str
    label: str
    queries: int
    ndcg_at_10: dict[str, float]
    recall_at_10: dict[str, float]
    low: dict[str, float]  # bounds of NDCG@10's 95 % interval by user; empty with too few users
    high: dict[str, float]
    recall_low: dict[str, float]  # the same of Recall@10, which equals HR@10 for one target
    recall_high: dict[str, float]


def split_queries(
    queries: Queries,
    catalog: Catalog,
    popularity: FloatArray,
    first_seen: Times,
    trained_users: set[str],
    users: pa.Table | None = None,
) -> dict[str, Masks]:
    """Map dimension -> label -> mask; dimensions with a single label are left out.

    Args:
        first_seen: [items] µs; an item's age is the time to the query from when it became available, else
            from its first interaction.
        trained_users: ids of the users in the training split.
        users: user_id and attributes; each attribute is a dimension.
    """
    attributes = split_by_attribute(users, queries.user_ids) if users is not None else {}
    since = np.where(catalog.available_from > 0, catalog.available_from, first_seen)
    is_trained = np.fromiter((user_id in trained_users for user_id in queries.user_ids), bool, len(queries))
    dimensions = {
        "history length": _by_length(queries.lengths()),
        "user": {"in the training split": is_trained, "new": ~is_trained},
        "target's popularity": _by_popularity(popularity, queries.targets),
        "target's age": _by_age((queries.cutoffs - since[queries.targets]) / MICROSECONDS_A_DAY),
        "target's domain": _by_domain(catalog, queries.targets),
        **{f"{USER_ATTRIBUTE}{name}": masks for name, masks in attributes.items()},
    }
    used = {
        name: {label: mask for label, mask in masks.items() if mask.any()}
        for name, masks in dimensions.items()
    }
    return {name: masks for name, masks in used.items() if len(masks) > 1}


def measure(
    dimensions: dict[str, Masks], models: dict[str, RankedQueries], users: NDArray[np.int64], seed: int
) -> list[Slice]:
    """Measure every model on every slice."""
    slices = []
    for dimension, masks in dimensions.items():
        for label, mask in masks.items():
            values = np.stack(
                [metric(ranked.ranks[mask], 10) for metric in (ndcg, recall) for ranked in models.values()],
                axis=1,
            )
            means = np.split(values.mean(axis=0), 2)
            bounds = intervals(values, np.unique(users[mask], return_inverse=True)[1], seed)
            (low, recall_low), (high, recall_high) = (np.split(bound, 2) for bound in bounds)
            rows = (*means, low, high, recall_low, recall_high)
            by_model = [
                {} if np.isnan(row).any() else dict(zip(models, row.tolist(), strict=True)) for row in rows
            ]
            slices.append(Slice(dimension, label, int(mask.sum()), *by_model))
    return slices


def _by_length(lengths: NDArray[np.int64]) -> Masks:
    bounds = (0, 1, 5, 20, 50, 100, 200)
    labels = ("none", "1–4", "5–19", "20–49", "50–99", "100–199", "200, the maximum")
    return _between(lengths, bounds, labels)


def _by_popularity(popularity: FloatArray, targets: NDArray[np.int32]) -> Masks:
    """Split by the target: head, middle and tail items that have a third of all interactions each."""
    order = np.argsort(-popularity, kind="stable")
    above = np.empty(len(popularity))
    above[order] = (np.cumsum(popularity[order]) - popularity[order]) / max(popularity.sum(), 1)
    share = np.where(popularity[targets] > 0, above[targets], 2.0)
    labels = ("head third", "middle third", "tail third", "not in the training split")
    return _between(share, (0, 1 / 3, 2 / 3, 2), labels)


def _by_age(days: NDArray[np.float64]) -> Masks:
    return _between(
        days,
        (-np.inf, 7, 30, 180, 365),
        ("up to a week", "up to 30 days", "up to half a year", "up to a year", "older"),
    )


def _by_domain(catalog: Catalog, targets: NDArray[np.int32]) -> Masks:
    domains = np.array([catalog.domains[target] or "none" for target in targets])
    return {str(domain): domains == domain for domain in np.unique(domains)}


def _between(values: NDArray[np.generic], bounds: tuple[float, ...], labels: tuple[str, ...]) -> Masks:
    """Return a mask per label; label n has bound n <= value < bound n + 1."""
    bucket = np.searchsorted(np.asarray(bounds), values, side="right") - 1
    return {label: bucket == number for number, label in enumerate(labels)}
