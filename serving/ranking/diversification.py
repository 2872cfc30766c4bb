"""Which of the scored items are answered, and in which order: what a scenario asks beside the scores."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from serving.answers import Rule
from serving.ranking.calibration import click_probabilities
from serving.ranking.request import Request
from serving.ranking.retrieval import Candidates
from serving.ranking.rules import best
from serving.ranking.scenarios import Scenario
from serving.release.arrays import FloatArray, Indexes
from serving.release.ranking_data import Ranking

# Diversity looks at so many items for each one that it answers.
MMR_POOL: Final = 10


@dataclass(frozen=True, eq=False)
class Selection:
    """The answer as positions among the scored items, best first, and why they stand there."""

    places: NDArray[np.intp]  # [≤ k]
    reordered_by: list[Rule | None]  # [≤ k] the key that set the position; None for the value
    full: NDArray[np.bool_]  # [m] not answered because its category had its share


def arrange(
    values: FloatArray,
    items: Indexes,
    content: csr_array,
    fresh: NDArray[np.bool_],
    k: int,
    scenario: Scenario,
) -> Selection:
    """Pick k items one after the other, each the best that the scenario lets stand at its place.

    *Diversity* is maximal marginal relevance: (1 − trade) · value − trade · likeness to those before, where
    values are scaled to [0, 1] over the best MMR_POOL · k and likeness is the cosine of categories
    (Carbonell and Goldstein 1998, "The use of MMR, diversity-based reranking"). An item all of whose
    categories have places left is *open*; from where the last places must be fresh items', only those are.

    Args:
        values: [m] of `items` [m].
        content: [catalog, categories] rows of unit length.
        fresh: [catalog].
    """
    if not scenario.arranges or not len(values) or not k:
        places = best(values, k)
        return Selection(places, [None] * len(places), np.zeros(len(values), bool))
    order = best(values, len(values))
    picking = _GreedySelector(values[order], content[items[order]], fresh[items[order]], k, scenario)
    for _ in range(min(k, len(order))):
        if not picking.pick():
            break
    full = np.zeros(len(values), bool)
    full[order] = picking.waiting & ~picking.open
    return Selection(order[picking.picked], picking.reordered_by, full)


@dataclass(frozen=True, eq=False)
class Order:
    """The answered candidates, best first."""

    places: NDArray[np.intp]  # [≤ k] positions among the candidates
    values: FloatArray  # [≤ k] scores, or expected values
    reordered_by: list[Rule | None]  # [≤ k] as in Selection
    full: Indexes  # items that are not answered because their category had its share
    probabilities: NDArray[np.float64] | None = None  # [≤ k] of being chosen, where they order the answer


def order_of(
    ranking: Ranking,
    fresh: NDArray[np.bool_],
    candidates: Candidates,
    scores: FloatArray,
    request: Request,
    logits: FloatArray | None = None,
) -> Order:
    """The k candidates [m] that the request's scenario lets answer, by score, or by bid times probability.

    Args:
        scores: [m]
        logits: [m] what a softmax turns into shares; the scores when absent.
    """
    items, content = candidates.items, ranking.catalog.content
    if request.scenario.objective == "score":
        found = arrange(scores, items, content, fresh, request.k, request.scenario)
        return Order(found.places, scores[found.places], found.reordered_by, items[found.full])
    index = ranking.catalog.index
    bids = np.zeros(len(ranking.catalog), np.float64)
    for item_id, bid in request.bids.items():
        if item_id in index:
            bids[index[item_id]] = bid
    offered = np.flatnonzero(bids[items] > 0)
    chances = click_probabilities(scores if logits is None else logits, ranking.blend)[offered]
    values = (bids[items[offered]] * chances).astype(np.float32)
    found = arrange(values, items[offered], content, fresh, request.k, request.scenario)
    by_score = best(scores[offered], request.k)
    reordered_by = [
        why or (Rule.EXPECTED_VALUE if place != unmoved else None)
        for why, place, unmoved in zip(found.reordered_by, found.places, by_score, strict=False)
    ]
    places, full = offered[found.places], items[offered][found.full]
    return Order(places, values[found.places], reordered_by, full, chances[found.places])


class _GreedySelector:
    """The state while one answer is picked; positions are those in the order of the values."""

    def __init__(
        self, values: FloatArray, rows: csr_array, fresh: NDArray[np.bool_], k: int, scenario: Scenario
    ) -> None:
        self._rows, self._fresh, self._k, self._scenario = rows, fresh, k, scenario
        self._reach = min(k * MMR_POOL, len(values))
        span = max(float(values[0] - values[self._reach - 1]), 1e-9)
        within = values[: self._reach]
        self._relevance = (1 - scenario.diversity) * (within - within[-1]) / span
        self._near = rows[: self._reach]
        self._nearest = np.zeros(self._reach, np.float32)
        self._room = np.full(rows.shape[1], scenario.max_per_category or len(values))
        self._owed = min(math.ceil(scenario.min_fresh_share * k), int(fresh.sum()))
        self.waiting, self.open = np.ones(len(values), bool), np.ones(len(values), bool)
        self.picked: list[int] = []
        self.reordered_by: list[Rule | None] = []

    def pick(self) -> bool:
        """Pick the next item; False when none may be."""
        eligible = self.waiting & self.open
        owed = self._owed - np.count_nonzero(self._fresh[self.picked])
        last = bool(owed >= self._k - len(self.picked))
        must_be_fresh = last and bool((eligible & self._fresh).any())
        if must_be_fresh:
            eligible &= self._fresh
        if not eligible.any():
            return False
        merit = self._relevance - self._scenario.diversity * self._nearest
        near = eligible[: self._reach]
        place = int(np.argmax(np.where(near, merit, -np.inf) if near.any() else eligible))
        self.reordered_by.append(self._why(place, must_be_fresh))
        self._take(place)
        return True

    def _why(self, place: int, must_be_fresh: bool) -> Rule | None:
        if place == int(np.argmax(self.waiting)):
            return None
        if place == int(np.argmax(self.waiting & self.open)):
            return Rule.MAX_PER_CATEGORY
        return Rule.MIN_FRESH_SHARE if must_be_fresh else Rule.DIVERSITY

    def _take(self, place: int) -> None:
        self.picked.append(place)
        self.waiting[place] = False
        row = self._rows[[place]]
        if self._scenario.diversity:
            self._nearest = np.maximum(self._nearest, self._near @ row.toarray()[0])
        if self._scenario.max_per_category:
            self._room[row.indices] -= 1
            if not self._room[row.indices].all():
                self.open = (self._rows @ (self._room <= 0).astype(np.float32)) == 0
