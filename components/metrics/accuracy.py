"""Accuracy metrics at k, from the ranks of held-out items; ties count against the model.

Every metric takes `ranks`: [queries] or [queries, targets] int, the rank of each relevant item among all
items (1 is best), MISS where it was not ranked, PADDING where a query has fewer targets than others.
Every metric returns one value per query, [queries] float64. Relevance is binary.
Sources: Järvelin & Kekäläinen 2002 (NDCG), Voorhees 1999 (MRR), van Rijsbergen 1979 (F1), Deshpande & Karypis
2004 (HR).
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from serving.release.arrays import AnyFloatArray

IntArray = NDArray[np.integer[Any]]

MISS: Final = int(np.iinfo(np.int32).max)
PADDING: Final = 0

# Blocks of items, of which a query's best items are searched: some times the length of a list.
BLOCKS: Final = 128


def ranks_of(scores: AnyFloatArray, targets: IntArray) -> IntArray:
    """Return the rank of each query's target; items with an equal score rank before it.

    Args:
        scores: [queries, items] higher is better, -inf for an excluded item.
        targets: [queries] item indexes, -1 for an item that is not in the catalog.

    Returns:
        [queries] int32, MISS where the target is missing or excluded.
    """
    own = np.take_along_axis(scores, np.maximum(targets, 0)[:, None], axis=1)
    ranks: IntArray = np.count_nonzero(scores >= own, axis=1).astype(np.int32)
    ranks[(targets < 0) | ~np.isfinite(own[:, 0])] = MISS
    return ranks


def top_items(scores: AnyFloatArray, k: int) -> IntArray:
    """Return the k best items of each query, best first, equal scores in index order.

    Args:
        scores: [queries, items], -inf for an excluded item.

    Returns:
        [queries, k] int32, padded with -1.
    """
    padded: IntArray = np.full((len(scores), k), -1, np.int32)
    for row, own, bound in zip(padded, scores, _reached(scores, k), strict=True):
        pool = np.flatnonzero(own > bound)
        if len(pool) < k:
            pool = np.concatenate([pool, np.flatnonzero(own == bound)[:k]])
        best = pool[np.argsort(-own[pool], kind="stable")[:k]]
        best = best[np.isfinite(own[best])]
        row[: len(best)] = best
    return padded


def _reached(scores: AnyFloatArray, k: int) -> AnyFloatArray:
    """Return [queries] a score that at least k items reach: the k-th largest of the maxima of blocks.

    Few items exceed it, so that only these are sorted; np.partition is slow where most scores are equal.
    """
    starts = np.arange(0, scores.shape[1], max(1, scores.shape[1] // BLOCKS))
    if len(starts) < k:
        return np.full(len(scores), -np.inf)
    maxima = np.sort(np.maximum.reduceat(scores, starts, axis=1), axis=1)
    return np.asarray(maxima[:, -k])


def recall(ranks: IntArray, k: int) -> AnyFloatArray:
    """Return the share of a query's targets that rank within k."""
    return _hits(ranks, k) / np.maximum(_targets(ranks), 1)


def precision(ranks: IntArray, k: int) -> AnyFloatArray:
    """Return the share of the first k items that are targets."""
    return _hits(ranks, k) / k


def f1(ranks: IntArray, k: int) -> AnyFloatArray:
    """Return the harmonic mean of precision and recall: 2 hits / (k + targets)."""
    return np.asarray(2 * _hits(ranks, k) / (k + _targets(ranks)))


def hit_rate(ranks: IntArray, k: int) -> AnyFloatArray:
    """Return 1 where a target ranks within k; equals recall when each query has one target."""
    return (_hits(ranks, k) > 0).astype(np.float64)


def ndcg(ranks: IntArray, k: int) -> AnyFloatArray:
    """Return the discounted gain 1 / log2(1 + rank) of the targets within k, over the ideal order's gain."""
    ranks = _by_query(ranks)
    gain = 1 / np.log2(1 + np.maximum(ranks, 1.0))
    gains: AnyFloatArray = np.where((ranks != PADDING) & (ranks <= k), gain, 0).sum(axis=1)
    ideal = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])
    best = ideal[np.minimum(_targets(ranks), k)]
    return np.asarray(np.divide(gains, best, out=np.zeros_like(gains), where=best > 0))


def reciprocal_rank(ranks: IntArray, k: int) -> AnyFloatArray:
    """Return 1 / rank of the first target, 0 if that is above k; the mean is MRR."""
    ranks = _by_query(ranks)
    first = np.where(ranks == PADDING, MISS, ranks).min(axis=1)
    return np.where(first <= k, 1 / first, 0.0)


# Name (a metric at k is called `<name>_at_<k>`) -> function.
ACCURACY: Final[dict[str, Callable[[IntArray, int], AnyFloatArray]]] = {
    "ndcg": ndcg,
    "recall": recall,
    "hr": hit_rate,
    "precision": precision,
    "f1": f1,
    "mrr": reciprocal_rank,
}


def _by_query(ranks: IntArray) -> IntArray:
    return ranks[:, None] if ranks.ndim == 1 else ranks


def _hits(ranks: IntArray, k: int) -> IntArray:
    ranks = _by_query(ranks)
    return np.asarray(np.count_nonzero((ranks != PADDING) & (ranks <= k), axis=1))


def _targets(ranks: IntArray) -> IntArray:
    return np.asarray(np.count_nonzero(_by_query(ranks) != PADDING, axis=1))
