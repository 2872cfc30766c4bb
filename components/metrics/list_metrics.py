"""Metrics of recommended lists beyond accuracy: coverage, diversity, novelty, serendipity, calibration.

`recommended`: [queries, k] int, item indexes, best first, padded with -1. Metrics of single lists return
[queries] float64, NaN where undefined; metrics of all lists together return a float.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.release.arrays import AnyFloatArray

IntArray = NDArray[np.integer[Any]]


def catalog_coverage(recommended: IntArray, n_items: int) -> float:
    """Return the share of the catalog in at least one list (Ge, Delgado-Battenfeld & Jannach 2010)."""
    return float(np.count_nonzero(exposure(recommended, n_items))) / n_items


def exposure(recommended: IntArray, n_items: int) -> IntArray:
    """Return [items] int64, the number of lists that each item is in."""
    return np.bincount(recommended[recommended >= 0], minlength=n_items)


def gini(counts: IntArray | AnyFloatArray) -> float:
    """Return the Gini coefficient of `counts` [items]: 0 if all are equal, near 1 if one item has them all.

    Applied to exposure it measures popularity bias (Adomavicius & Kwon 2012).
    """
    ordered = np.sort(np.asarray(counts, np.float64))
    total, n = ordered.sum(), len(ordered)
    return float((2 * np.arange(1, n + 1) - n - 1) @ ordered / (n * total)) if total > 0 else float("nan")


def intra_list_diversity(recommended: IntArray, features: AnyFloatArray) -> AnyFloatArray:
    """Return the mean of 1 - cosine over a list's pairs (Ziegler et al. 2005; Smyth & McClave 2001).

    Args:
        features: [items, d]; an item with a zero row is left out of the pairs.
    """
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    unit = np.divide(features, norms, out=np.zeros_like(features, dtype=np.float64), where=norms > 0)
    count = _sum_over_list(recommended, (norms > 0).astype(np.float64))[:, 0]
    # |sum of unit vectors|² = count + 2 x the sum of the cosines of all pairs
    squared = np.square(_sum_over_list(recommended, unit)).sum(axis=1)
    pairs = count * (count - 1) / 2
    return 1 - _divide((squared - count) / 2, pairs)


def novelty(recommended: IntArray, popularity: AnyFloatArray) -> AnyFloatArray:
    """Return the mean of -log2 p(item) over a list, in bits (Zhou et al. 2010; Vargas & Castells 2011).

    Args:
        popularity: [items] users; p is an item's share of them, with add-one smoothing.
    """
    share = (popularity + 1.0) / (popularity.sum() + len(popularity))
    bits = _sum_over_list(recommended, -np.log2(share)[:, None])[:, 0]
    return _divide(bits, np.count_nonzero(recommended >= 0, axis=1))


def serendipity(recommended: IntArray, expected: IntArray, targets: IntArray) -> AnyFloatArray:
    """Return the share of a list that is relevant and unexpected (Ge et al. 2010).

    Args:
        expected: [queries, k] the list of a simple recommender, here the most popular unseen items.
        targets: [queries] the relevant item, -1 for none.
    """
    target = targets[:, None]
    relevant = (recommended == target) & (target >= 0)
    unexpected = ~(expected == target).any(axis=1, keepdims=True)
    return _divide((relevant & unexpected).sum(axis=1), np.count_nonzero(recommended >= 0, axis=1))


def category_distribution(items: IntArray, categories: AnyFloatArray) -> AnyFloatArray:
    """Return p(category | list) [queries, categories] float64; an item's weight is split over its categories.

    Args:
        items: [queries, length] item indexes, -1 for none.
        categories: [items, categories] 1 where an item has a category; items without categories are ignored.

    Returns:
        Rows that sum to 1, or to 0 where no item in the list has a category.
    """
    totals = categories.sum(axis=1, keepdims=True)
    spread = np.divide(categories, totals, out=np.zeros_like(categories, np.float64), where=totals > 0)
    summed = _sum_over_list(items, spread)
    mass = summed.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(summed, mass, out=np.zeros_like(summed), where=mass > 0))


def miscalibration(history: AnyFloatArray, recommended: AnyFloatArray, alpha: float = 0.01) -> AnyFloatArray:
    """Return KL(history ‖ recommended) in nats, 0 for equal category distributions (Steck 2018).

    Args:
        history: [queries, categories] p(category | history).
        recommended: [queries, categories] p(category | list), mixed with `alpha` of history to stay finite.
    """
    smoothed = (1 - alpha) * recommended + alpha * history
    ratio = np.divide(history, smoothed, out=np.ones_like(history), where=history > 0)
    undefined = (history.sum(axis=1) == 0) | (recommended.sum(axis=1) == 0)
    return np.where(undefined, np.nan, (history * np.log(ratio)).sum(axis=1))


def _sum_over_list(items: IntArray, values: AnyFloatArray) -> AnyFloatArray:
    """Return [queries, d] the sum of `values` [items, d] over each list, one position at a time."""
    total: AnyFloatArray = np.zeros((len(items), values.shape[1]))
    for column in items.T:
        present = column >= 0
        total[present] += values[column[present]]
    return total


def _divide(numerator: AnyFloatArray | IntArray, denominator: AnyFloatArray | IntArray) -> AnyFloatArray:
    nothing = np.full(len(numerator), np.nan)
    return np.asarray(np.divide(numerator, denominator, out=nothing, where=np.asarray(denominator) > 0))
