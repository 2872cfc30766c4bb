"""The figures of a model: every measure at every k, with its interval and its significance."""

from collections import Counter
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from components.evaluate_release.data.queries import Queries
from components.evaluate_release.data.ranked_queries import RankedQueries
from components.evaluate_release.metrics import list_metrics
from components.evaluate_release.metrics.accuracy import ACCURACY
from components.evaluate_release.metrics.bootstrap import intervals, paired_p_values
from serving.release.arrays import AnyFloatArray, FloatArray
from serving.release.catalog import Catalog

KS: Final = (10, 20)
HEADLINE: Final = "ndcg_at_10"

# The dense [items, categories] matrix holds the commonest; rarer ones say little about a list.
MAX_CATEGORIES: Final = 128


@dataclass(frozen=True)
class Figure:
    """A mean over queries; `low`, `high` the 95 % interval by user, `p_value` against a baseline."""

    value: float
    low: float | None = None
    high: float | None = None
    p_value: float | None = None

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}


class MetricCalculator:
    """Measures models on one set of queries, with the same resamples for each, so that they compare."""

    def __init__(self, queries: Queries, catalog: Catalog, popularity: FloatArray, seed: int) -> None:
        self._queries, self._n_items, self._seed = queries, len(catalog), seed
        self._popularity = popularity
        self._categories = category_matrix(catalog)

    def measure(
        self, answered: RankedQueries, popular: RankedQueries, rival: RankedQueries
    ) -> dict[str, Figure]:
        """Name -> figure, of those that can be said.

        Args:
            popular: the most popular items, whose hits are no surprise.
            rival: the baseline that p values are against.
        """
        values = {
            name: row for name, row in self.per_query(answered, popular).items() if not np.isnan(row).all()
        }
        users, seed = self._queries.users, self._seed
        bounds = intervals(np.stack(list(values.values()), axis=1), users, seed)
        p_values = self._p_values(answered, rival)
        figures = {
            name: Figure(float(np.nanmean(row)), float(low), float(high), p_values.get(name))
            for (name, row), (low, high) in zip(values.items(), bounds.T, strict=True)
        }
        return figures | self._of_all_lists(answered)

    def per_query(self, answered: RankedQueries, popular: RankedQueries) -> dict[str, AnyFloatArray]:
        """Name -> [queries] float64, NaN where a query says nothing."""
        figures = accuracy(answered)
        for k in KS:
            items, expected = answered.items[:, :k], popular.items[:, :k]
            shown = list_metrics.category_distribution(items, self._categories)
            figures |= {
                f"diversity_at_{k}": list_metrics.intra_list_diversity(items, self._categories),
                f"novelty_at_{k}": list_metrics.novelty(items, self._popularity),
                f"serendipity_at_{k}": list_metrics.serendipity(items, expected, self._queries.targets),
                f"miscalibration_at_{k}": list_metrics.miscalibration(self._history_categories, shown),
            }
        return figures

    def _p_values(self, answered: RankedQueries, rival: RankedQueries) -> dict[str, float]:
        ours, theirs = accuracy(answered), accuracy(rival)
        left, right = (np.stack(list(values.values()), axis=1) for values in (ours, theirs))
        p_values = paired_p_values(left, right, self._queries.users, self._seed)
        return {} if answered is rival else dict(zip(ours, p_values.tolist(), strict=True))

    def _of_all_lists(self, answered: RankedQueries) -> dict[str, Figure]:
        """Drawing users again would only shrink these: no interval."""
        figures = {}
        for k in KS:
            items = answered.items[:, :k]
            figures[f"coverage_at_{k}"] = Figure(list_metrics.catalog_coverage(items, self._n_items))
            figures[f"gini_at_{k}"] = Figure(list_metrics.gini(list_metrics.exposure(items, self._n_items)))
        return figures

    @cached_property
    def _history_categories(self) -> AnyFloatArray:
        longest = max(map(len, self._queries.items), default=0)
        padded = np.full((len(self._queries), longest), -1, np.int32)
        for row, items in zip(padded, self._queries.items, strict=True):
            row[: len(items)] = items
        return list_metrics.category_distribution(padded, self._categories)


def accuracy(answered: RankedQueries) -> dict[str, AnyFloatArray]:
    """Name -> [queries] float64, each accuracy metric at each k."""
    return {f"{name}_at_{k}": metric(answered.ranks, k) for k in KS for name, metric in ACCURACY.items()}


def category_matrix(catalog: Catalog) -> AnyFloatArray:
    """[items, categories] float32, 1 where an item has a category; the commonest MAX_CATEGORIES."""
    counts = Counter(category for categories in catalog.categories for category in set(categories))
    columns = {name: column for column, (name, _) in enumerate(counts.most_common(MAX_CATEGORIES))}
    matrix = np.zeros((len(catalog), len(columns)), np.float32)
    for row, categories in zip(matrix, catalog.categories, strict=True):
        row[[columns[name] for name in categories if name in columns]] = 1
    return matrix
