"""What a user is expected to choose at the next steps: items and categories near each forecast interest."""

import numpy as np
from numpy.typing import NDArray

from serving.answers import ExpectedCategory, ExpectedItem, InterestPoint
from serving.ranking.top_k import best_positions
from serving.release.arrays import FloatArray
from serving.release.catalog import Catalog
from serving.release.ranking_data import Ranking


def interest_points(
    ranking: Ranking, forecast: FloatArray, permitted: NDArray[np.bool_], k: int
) -> list[InterestPoint]:
    """Return a point for each step of a forecast.

    The probabilities are the softmax that the model was trained with, over the permitted items.

    Args:
        forecast: [steps, interest size] float32.
        permitted: [items] the items that could be recommended.
    """
    logits = forecast @ ranking.item_embeddings.T
    logits[:, ~permitted] = -np.inf
    return [
        _point(ranking.catalog, number, _softmax(row), min(k, int(permitted.sum())))
        for number, row in enumerate(logits, 1)
    ]


def _softmax(logits: FloatArray) -> FloatArray:
    if not np.isfinite(logits).any():  # no item is permitted
        return np.zeros_like(logits)
    odds = np.exp(logits - logits.max())
    probabilities: FloatArray = odds / odds.sum(dtype=np.float64)
    return probabilities


def _point(catalog: Catalog, step: int, probabilities: FloatArray, k: int) -> InterestPoint:
    best = best_positions(probabilities, k)
    items = [
        ExpectedItem(catalog.item_ids[item], catalog.titles[item], float(probabilities[item]))
        for item in best.tolist()
    ]
    return InterestPoint(
        step, items, _categories(catalog, probabilities, k), sum(item.probability for item in items)
    )


def _categories(catalog: Catalog, probabilities: FloatArray, k: int) -> list[ExpectedCategory]:
    """Return the k most probable categories; an item counts in equal parts for each of its categories."""
    if not catalog.category_index:
        return []
    content = catalog.content  # each of n categories of an item has the value 1 / sqrt(n)
    counts = np.maximum(np.diff(content.indptr), 1)
    by_category = content.T @ (probabilities / np.sqrt(counts))
    names = list(catalog.category_index)
    best = best_positions(by_category, k)
    return [
        ExpectedCategory(names[column], float(by_category[column]))
        for column in best.tolist()
        if by_category[column] > 0
    ]
