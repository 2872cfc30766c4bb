"""Selection of items by score, diversity, category quotas and a share of fresh items."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from serving.answers import Rule
from serving.ranking.scenarios import Scenario
from serving.ranking.top_k import best_positions
from serving.release.arrays import FloatArray, Indexes

# Diversity compares this many items for each item that it selects.
MMR_POOL: Final = 10


@dataclass(frozen=True, eq=False)
class Selection:
    """Selected positions among the scored items, best first, and the rules that changed their order."""

    positions: NDArray[np.intp]  # [≤ k]
    reordered_by: list[Rule | None]  # [≤ k] the scenario's key that set the position; None for the value
    over_quota: NDArray[np.bool_]  # [m] items left out because a category of theirs has no slot left


def diversify(
    values: FloatArray,
    items: Indexes,
    content: csr_array,
    fresh: NDArray[np.bool_],
    k: int,
    scenario: Scenario,
) -> Selection:
    """Select k items greedily: at each step the best item that the scenario permits there.

    Diversity is maximal marginal relevance: (1 − diversity) · value − diversity · similarity to the selected
    items. Values are scaled to [0, 1] over the best MMR_POOL · k items; similarity is the categories' cosine
    (Carbonell and Goldstein 1998, "The use of MMR, diversity-based reranking"). When only the slots of
    `min_fresh_share` are left, only fresh items are eligible.

    Args:
        values: [m] of `items` [m], higher is better.
        content: [catalog, categories] rows of unit length.
        fresh: [catalog]
    """
    if not scenario.diversifies or not len(values) or not k:
        positions = best_positions(values, k)
        return Selection(positions, [None] * len(positions), np.zeros(len(values), bool))
    order = best_positions(values, len(values))
    selector = _GreedySelector(values[order], content[items[order]], fresh[items[order]], k, scenario)
    for _ in range(min(k, len(order))):
        if not selector.select_next():
            break
    over_quota = np.zeros(len(values), bool)
    over_quota[order] = selector.unselected & ~selector.within_quota
    return Selection(order[selector.selected], selector.reordered_by, over_quota)


class _GreedySelector:
    """The state of one selection; positions are those in the order of the values, best first."""

    def __init__(
        self, values: FloatArray, rows: csr_array, fresh: NDArray[np.bool_], k: int, scenario: Scenario
    ) -> None:
        self._rows, self._fresh, self._k, self._scenario = rows, fresh, k, scenario
        self._pool = min(k * MMR_POOL, len(values))
        span = max(float(values[0] - values[self._pool - 1]), 1e-9)
        pool_values = values[: self._pool]
        self._relevance = (1 - scenario.diversity) * (pool_values - pool_values[-1]) / span
        self._pool_rows = rows[: self._pool]
        self._max_similarity = np.zeros(self._pool, np.float32)
        self._category_slots = np.full(rows.shape[1], scenario.max_per_category or len(values))
        self._fresh_slots = min(math.ceil(scenario.min_fresh_share * k), int(fresh.sum()))
        self.unselected, self.within_quota = np.ones(len(values), bool), np.ones(len(values), bool)
        self.selected: list[int] = []
        self.reordered_by: list[Rule | None] = []

    def select_next(self) -> bool:
        """Select the next item; return False if none is eligible."""
        eligible = self.unselected & self.within_quota
        missing_fresh = self._fresh_slots - np.count_nonzero(self._fresh[self.selected])
        only_fresh_slots_left = bool(missing_fresh >= self._k - len(self.selected))
        must_be_fresh = only_fresh_slots_left and bool((eligible & self._fresh).any())
        if must_be_fresh:
            eligible &= self._fresh
        if not eligible.any():
            return False
        merit = self._relevance - self._scenario.diversity * self._max_similarity
        in_pool = eligible[: self._pool]
        position = int(np.argmax(np.where(in_pool, merit, -np.inf) if in_pool.any() else eligible))
        self.reordered_by.append(self._reason(position, must_be_fresh))
        self._select(position)
        return True

    def _reason(self, position: int, must_be_fresh: bool) -> Rule | None:
        if position == int(np.argmax(self.unselected)):
            return None
        if position == int(np.argmax(self.unselected & self.within_quota)):
            return Rule.MAX_PER_CATEGORY
        return Rule.MIN_FRESH_SHARE if must_be_fresh else Rule.DIVERSITY

    def _select(self, position: int) -> None:
        self.selected.append(position)
        self.unselected[position] = False
        row = self._rows[[position]]
        if self._scenario.diversity:
            self._max_similarity = np.maximum(self._max_similarity, self._pool_rows @ row.toarray()[0])
        if self._scenario.max_per_category:
            self._category_slots[row.indices] -= 1
            if not self._category_slots[row.indices].all():
                self.within_quota = (self._rows @ (self._category_slots <= 0).astype(np.float32)) == 0
