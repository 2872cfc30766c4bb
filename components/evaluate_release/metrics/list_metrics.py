"""What answered lists are like beyond accuracy: coverage, diversity, novelty, serendipity, calibration.

`recommended`: [queries, k] int, the items answered, best first, -1 where a list is shorter. Measures of
one list return [queries] float64, NaN where nothing can be said; measures of all lists together a float.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.release.arrays import AnyFloatArray

IntArray = NDArray[np.integer[Any]]


def catalog_coverage(recommended: IntArray, n_items: int) -> float:
    """The share of the catalog that stands in at least one list (Ge, Delgado-Battenfeld & Jannach 2010)."""
    return float(np.count_nonzero(exposure(recommended, n_items))) / n_items


def exposure(recommended: IntArray, n_items: int) -> IntArray:
    """How many lists each item stands in, [items] int64."""
    return np.bincount(recommended[recommended >= 0], minlength=n_items)


def gini(counts: IntArray | AnyFloatArray) -> float:
    """How unevenly `counts` [items] are spread: 0 all equal, towards 1 all on one item.

    Of exposure counts it measures popularity bias (Adomavicius & Kwon 2012).
    """
    ordered = np.sort(np.asarray(counts, np.float64))
    total, n = ordered.sum(), len(ordered)
    return float((2 * np.arange(1, n + 1) - n - 1) @ ordered / (n * total)) if total > 0 else float("nan")


def intra_list_diversity(recommended: IntArray, features: AnyFloatArray) -> AnyFloatArray:
    """The mean of 1 - cosine over the pairs of a list (Ziegler et al. 2005; Smyth & McClave 2001).

    Args:
        features: [items, d]; an item whose row is all zero is unknown and left out of the pairs.
    """
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    unit = np.divide(features, norms, out=np.zeros_like(features, dtype=np.float64), where=norms > 0)
    known = _sum_over_list(recommended, (norms > 0).astype(np.float64))[:, 0]
    # |sum of unit vectors|² = known + 2 x the sum of the cosines of all pairs
    squared = np.square(_sum_over_list(recommended, unit)).sum(axis=1)
    pairs = known * (known - 1) / 2
    return 1 - _divide((squared - known) / 2, pairs)


def novelty(recommended: IntArray, popularity: AnyFloatArray) -> AnyFloatArray:
    """The mean self-information -log2 p(item) of a list, in bits (Zhou et al. 2010; Vargas & Castells 2011).

    Args:
        popularity: [items] interactions; p is their share, one added to each to keep it above 0.
    """
    share = (popularity + 1.0) / (popularity.sum() + len(popularity))
    bits = _sum_over_list(recommended, -np.log2(share)[:, None])[:, 0]
    return _divide(bits, np.count_nonzero(recommended >= 0, axis=1))


def serendipity(recommended: IntArray, expected: IntArray, targets: IntArray) -> AnyFloatArray:
    """The share of a list that is useful and not what a primitive recommender answers (Ge et al. 2010).

    Args:
        expected: [queries, k] what the primitive recommender answers, here the most popular unseen items.
        targets: [queries] the item that was useful, -1 for none.
    """
    target = targets[:, None]
    useful = (recommended == target) & (target >= 0)
    surprising = ~(expected == target).any(axis=1, keepdims=True)
    return _divide((useful & surprising).sum(axis=1), np.count_nonzero(recommended >= 0, axis=1))


def category_distribution(items: IntArray, categories: AnyFloatArray) -> AnyFloatArray:
    """p(category | list): each item spreads one unit over its categories, [queries, categories] float64.

    Args:
        items: [queries, length] item indexes, -1 for none.
        categories: [items, categories] 1 where an item has a category; an item without any says nothing.

    Returns:
        Rows that sum to 1, or to 0 where no item of the list has a category.
    """
    totals = categories.sum(axis=1, keepdims=True)
    spread = np.divide(categories, totals, out=np.zeros_like(categories, np.float64), where=totals > 0)
    summed = _sum_over_list(items, spread)
    mass = summed.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(summed, mass, out=np.zeros_like(summed), where=mass > 0))


def miscalibration(history: AnyFloatArray, answered: AnyFloatArray, alpha: float = 0.01) -> AnyFloatArray:
    """KL(history ‖ answered) in nats, 0 when the answers mirror the user's categories (Steck 2018).

    Args:
        history: [queries, categories] p(category | history).
        answered: [queries, categories] p(category | list); mixed with `alpha` of history to keep it finite.
    """
    smoothed = (1 - alpha) * answered + alpha * history
    ratio = np.divide(history, smoothed, out=np.ones_like(history), where=history > 0)
    unknown = (history.sum(axis=1) == 0) | (answered.sum(axis=1) == 0)
    return np.where(unknown, np.nan, (history * np.log(ratio)).sum(axis=1))


def _sum_over_list(items: IntArray, values: AnyFloatArray) -> AnyFloatArray:
    """[queries, d]: the sum of `values` [items, d] over each list, one column of the lists at a time."""
    total: AnyFloatArray = np.zeros((len(items), values.shape[1]))
    for column in items.T:
        present = column >= 0
        total[present] += values[column[present]]
    return total


def _divide(numerator: AnyFloatArray | IntArray, denominator: AnyFloatArray | IntArray) -> AnyFloatArray:
    nothing = np.full(len(numerator), np.nan)
    return np.asarray(np.divide(numerator, denominator, out=nothing, where=np.asarray(denominator) > 0))
