"""Where a model is good and where it is not: the queries cut by history, user and target item."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components.evaluate_release.data.queries import Queries, Times, interactions_by_user
from components.evaluate_release.data.ranked_queries import RankedQueries
from components.evaluate_release.metrics.accuracy import ndcg, recall
from components.evaluate_release.metrics.attribute_slices import split_by_attribute
from components.evaluate_release.metrics.bootstrap import intervals
from serving.release.arrays import FloatArray
from serving.release.catalog import Catalog

Mask = NDArray[np.bool_]
Cut = dict[str, Mask]  # label -> [queries] whether a query belongs to it

DAY = 86_400_000_000  # µs


@dataclass(frozen=True)
class Slice:
    """One part of the queries; model -> figure."""

    dimension: str
    label: str
    queries: int
    ndcg_at_10: dict[str, float]
    recall_at_10: dict[str, float]
    low: dict[str, float]  # of NDCG@10, 95 % by user
    high: dict[str, float]


def cut(
    queries: Queries,
    catalog: Catalog,
    popularity: FloatArray,
    first_seen: Times,
    trained_users: set[str],
    users: pa.Table | None = None,
) -> dict[str, Cut]:
    """Dimension -> label -> queries; an item's age runs from `first_seen` [items] to the query."""
    attributes = split_by_attribute(users, queries.user_ids) if users is not None else {}
    known = np.fromiter((user_id in trained_users for user_id in queries.user_ids), bool, len(queries))
    cuts = {
        "history length": _by_length(queries.lengths()),
        "user": {"in the training part": known, "new since then": ~known},
        "target's popularity": _by_popularity(popularity, queries.targets),
        "target's age": _by_age((queries.cutoffs - first_seen[queries.targets]) / DAY),
        "target's domain": _by_domain(catalog, queries.targets),
        **{f"user's {name}": part for name, part in attributes.items()},
    }
    kept = {name: {label: mask for label, mask in part.items() if mask.any()} for name, part in cuts.items()}
    return {name: part for name, part in kept.items() if len(part) > 1}


def measure(
    cuts: dict[str, Cut], models: dict[str, RankedQueries], users: NDArray[np.int64], seed: int
) -> list[Slice]:
    """Every model on every slice."""
    found = []
    for dimension, part in cuts.items():
        for label, mask in part.items():
            gains = np.stack([ndcg(ranked.ranks[mask], 10) for ranked in models.values()], axis=1)
            low, high = intervals(gains, np.unique(users[mask], return_inverse=True)[1], seed)
            hits = [float(recall(ranked.ranks[mask], 10).mean()) for ranked in models.values()]
            rows = (gains.mean(axis=0).tolist(), hits, low.tolist(), high.tolist())
            by_model = [dict(zip(models, row, strict=True)) for row in rows]
            found.append(Slice(dimension, label, int(mask.sum()), *by_model))
    return found


def first_interactions(training_set: pa.Table, index: pa.Array, available_from: Times) -> Times:
    """[items] µs: when an item became available, else when someone first had it."""
    first = np.full(len(index), np.iinfo(np.int64).max)
    for items, timestamps in interactions_by_user(training_set, index).values():
        known = items >= 0
        np.minimum.at(first, items[known], timestamps[known])
    return np.where(available_from > 0, available_from, first)


def _by_length(lengths: NDArray[np.int64]) -> Cut:
    bounds = (0, 1, 5, 20, 50, 100, 200)
    labels = ("none", "1–4", "5–19", "20–49", "50–99", "100–199", "200, the longest")
    return _between(lengths, bounds, labels)


def _by_popularity(popularity: FloatArray, targets: NDArray[np.int32]) -> Cut:
    """The most popular items that hold a third of all interactions, those of the next third, and the tail."""
    order = np.argsort(-popularity, kind="stable")
    above = np.empty(len(popularity))
    above[order] = (np.cumsum(popularity[order]) - popularity[order]) / max(popularity.sum(), 1)
    share = np.where(popularity[targets] > 0, above[targets], 2.0)
    labels = ("head third", "middle third", "tail third", "never seen in training")
    return _between(share, (0, 1 / 3, 2 / 3, 2), labels)


def _by_age(days: NDArray[np.float64]) -> Cut:
    return _between(
        days, (-np.inf, 7, 30, 180, 365), ("up to a week", "a month", "half a year", "a year", "older")
    )


def _by_domain(catalog: Catalog, targets: NDArray[np.int32]) -> Cut:
    domains = np.array([catalog.domains[target] or "none" for target in targets])
    return {str(domain): domains == domain for domain in np.unique(domains)}


def _between(values: NDArray[np.generic], bounds: tuple[float, ...], labels: tuple[str, ...]) -> Cut:
    """Label n holds bound n <= value < bound n + 1."""
    place = np.searchsorted(np.asarray(bounds), values, side="right") - 1
    return {label: place == number for number, label in enumerate(labels)}
