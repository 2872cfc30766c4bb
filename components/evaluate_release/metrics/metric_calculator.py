"""Computes all metrics of a model at every k, with confidence intervals and p values."""

from collections import Counter
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from components.evaluate_release.data.queries import Queries
from components.metrics import list_metrics
from components.metrics.accuracy import ACCURACY
from components.metrics.bootstrap import intervals, paired_p_values
from components.metrics.ranked_queries import RankedQueries
from serving.release.arrays import AnyFloatArray, FloatArray
from serving.release.catalog import Catalog

KS: Final = (10, 20)
HEADLINE: Final = "ndcg_at_10"

# The dense [items, categories] matrix has only the most frequent categories, to bound its memory.
MAX_CATEGORIES: Final = 128


@dataclass(frozen=True)
class Figure:
    """A mean over queries, its 95 % confidence interval by user, and its p value against a baseline.

    There is no interval with too few users.
    """

    value: float
    low: float | None = None
    high: float | None = None
    p_value: float | None = None

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}


class MetricCalculator:
    """Measures models on one set of queries, with the same bootstrap resamples for each."""

    def __init__(self, queries: Queries, catalog: Catalog, popularity: FloatArray, seed: int) -> None:
        self._queries, self._n_items, self._seed = queries, len(catalog), seed
        self._popularity = popularity
        self._categories = category_matrix(catalog)

    def measure(
        self, answers: RankedQueries, popular: RankedQueries, baseline: RankedQueries
    ) -> dict[str, Figure]:
        """Map each metric's name to its figure; undefined metrics are left out.

        Args:
            popular: the most popular items, which serendipity counts as expected.
            baseline: the model that p values compare with.
        """
        values = {
            name: row for name, row in self.per_query(answers, popular).items() if not np.isnan(row).all()
        }
        users, seed = self._queries.users, self._seed
        bounds = intervals(np.stack(list(values.values()), axis=1), users, seed)
        p_values = self._p_values(answers, baseline)
        figures = {
            name: Figure(float(np.nanmean(row)), _bound(low), _bound(high), p_values.get(name))
            for (name, row), (low, high) in zip(values.items(), bounds.T, strict=True)
        }
        return figures | self._of_all_lists(answers)

    def per_query(self, answers: RankedQueries, popular: RankedQueries) -> dict[str, AnyFloatArray]:
        """Map each metric's name to [queries] float64, NaN where it is undefined."""
        values = accuracy(answers)
        for k in KS:
            items, expected = answers.items[:, :k], popular.items[:, :k]
            categories = list_metrics.category_distribution(items, self._categories)
            values |= {
                f"diversity_at_{k}": list_metrics.intra_list_diversity(items, self._categories),
                f"novelty_at_{k}": list_metrics.novelty(items, self._popularity),
                f"serendipity_at_{k}": list_metrics.serendipity(items, expected, self._queries.targets),
                f"miscalibration_at_{k}": list_metrics.miscalibration(self._history_categories, categories),
            }
        return values

    def _p_values(self, answers: RankedQueries, baseline: RankedQueries) -> dict[str, float]:
        ours, theirs = accuracy(answers), accuracy(baseline)
        left, right = (np.stack(list(values.values()), axis=1) for values in (ours, theirs))
        p_values = paired_p_values(left, right, self._queries.users, self._seed)
        return {} if answers is baseline else dict(zip(ours, p_values.tolist(), strict=True))

    def _of_all_lists(self, answers: RankedQueries) -> dict[str, Figure]:
        """Compute coverage and Gini; without intervals, since resampling users biases them downwards."""
        figures = {}
        for k in KS:
            items = answers.items[:, :k]
            figures[f"coverage_at_{k}"] = Figure(list_metrics.catalog_coverage(items, self._n_items))
            figures[f"gini_at_{k}"] = Figure(list_metrics.gini(list_metrics.exposure(items, self._n_items)))
        return figures

    @cached_property
    def _history_categories(self) -> AnyFloatArray:
        """[queries, categories] the distribution of the categories that each user likes."""
        liked = self._queries.liked()
        padded = np.full((len(liked), max(map(len, liked), default=0)), -1, np.int32)
        for row, items in zip(padded, liked, strict=True):
            row[: len(items)] = items
        return list_metrics.category_distribution(padded, self._categories)


def _bound(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def accuracy(answers: RankedQueries) -> dict[str, AnyFloatArray]:
    """Map the name of each accuracy metric at each k to [queries] float64."""
    return {f"{name}_at_{k}": metric(answers.ranks, k) for k in KS for name, metric in ACCURACY.items()}


def category_matrix(catalog: Catalog) -> AnyFloatArray:
    """Return [items, categories] float32, 1 where an item has the category; MAX_CATEGORIES at most."""
    counts = Counter(category for categories in catalog.categories for category in set(categories))
    columns = {name: column for column, (name, _) in enumerate(counts.most_common(MAX_CATEGORIES))}
    matrix = np.zeros((len(catalog), len(columns)), np.float32)
    for row, categories in zip(matrix, catalog.categories, strict=True):
        row[[columns[name] for name in categories if name in columns]] = 1
    return matrix
