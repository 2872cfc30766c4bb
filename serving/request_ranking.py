"""One request put to one release: from candidates to what is answered, and what a rule kept from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from serving.answers import Basis, Degradation, Fallback, Recommendation, Removed, Rule, Stage
from serving.ranking.cold_start import cold_scores, rank_cold
from serving.ranking.loaded_release import LoadedRelease, RankedItems
from serving.ranking.request import Request
from serving.ranking.retrieval import Candidates, Query
from serving.ranking.rules import Rules, best
from serving.release.arrays import FloatArray, Indexes
from serving.user_data.request_context import RequestContext


@dataclass(eq=False)
class RequestRanking:
    """What the stages of an answer share."""

    release: LoadedRelease
    request: Request
    query: Query
    profile: Mapping[str, str | float]
    around: RequestContext
    cold: bool  # no history is known, or no time is left to use it
    seen: Indexes  # items that were chosen before those of the history
    degraded: list[Degradation] = field(default_factory=list)
    rules: Rules = field(init=False)

    def __post_init__(self) -> None:
        self.rules = self.release.rules(self.request, self.query, self.seen, self.around.shown)

    def retrieve(self, instead: Candidates | None = None) -> Candidates:
        """What the release's sources, or who stands in for them, and the request name."""
        if instead is None:
            found = self.release.retriever.retrieve(self.query, self.rules.sources)
        else:
            found = instead
        return self.release.widened(found, self.request, self.around.followed)

    def select(self, retrieved: Candidates) -> Candidates:
        """What the rules permit of it, and as much beside it as k items need."""
        select, k = self.release.item_filter.select, self.request.k
        candidates = select(self.rules, retrieved, k)
        if not self.rules.sources or len(candidates.items):
            return candidates
        named = ", ".join(self.request.scenario.sources)
        self.degraded.append(Degradation(Stage.SOURCES, f"{named} gave no candidate", Fallback.ALL_SOURCES))
        self.rules = replace(self.rules, sources=0)
        return select(self.rules, retrieved, k)

    def rank(self, retrieved: Candidates, candidates: Candidates) -> tuple[RankedItems, Basis]:
        """The answer, and what it rests on.

        Where a limit for each category leaves fewer than k of the candidates, each category is looked at.
        """
        k, limit = self.request.k, self.request.scenario.max_per_category
        ranked, basis = self._ranked(candidates)
        if limit and len(ranked.items) < k:
            wider = self.release.item_filter.select(self.rules, retrieved, k, limit)
            if len(wider.items) > len(candidates.items):
                return self._ranked(wider)
        return ranked, basis

    def _ranked(self, candidates: Candidates) -> tuple[RankedItems, Basis]:
        if self.cold:
            return rank_cold(self.release, candidates, self.request, self.query.now, self.profile)
        return self.release.rank(self.query, candidates, self.request), Basis.HISTORY

    def present(self, event_types: Sequence[str], ranked: RankedItems) -> list[Recommendation]:
        """The answer in words; whom one follows is the reason for what they brought."""
        items = self.release.present(self.query, event_types, ranked, self.request.explain)
        had = self.around.followed
        if not had:
            return items
        return [replace(item, reason=_followed(had.get(item.item_id, 0)) or item.reason) for item in items]

    def removed(self, retrieved: Candidates, ranked: RankedItems) -> list[Removed]:
        """Of the k best that were retrieved, those that are not answered, best first, and the rule why."""
        scores = self._scores(retrieved.items)
        missing = best(scores, self.request.k)
        missing = missing[~np.isin(retrieved.items[missing], ranked.items)]
        sources = retrieved.naming(retrieved.items[missing]).tolist()
        ascending = np.sort(retrieved.items[missing])
        by_rule = self.release.item_filter.removed_by(self.rules, ascending)
        named = dict(zip(ascending.tolist(), by_rule, strict=True))
        catalog = self.release.ranking.catalog
        return [
            Removed(
                catalog.item_ids[item],
                catalog.titles[item],
                float(scores[place]),
                named[item] or self._by_scenario(item, named_by, ranked),
            )
            for place, item, named_by in zip(
                missing.tolist(), retrieved.items[missing].tolist(), sources, strict=True
            )
        ]

    def _scores(self, items: Indexes) -> FloatArray:
        if self.cold:
            return cold_scores(self.release, items, self.query.now, self.profile).scores
        return self.release.reranker.scores(self.query, items)

    def _by_scenario(self, item: int, sources: int, ranked: RankedItems) -> Rule:
        """The key of the scenario that keeps out an item which no rule removes."""
        scenario = self.request.scenario
        if self.rules.sources and not sources & self.rules.sources:
            return Rule.SOURCES
        if scenario.objective == "expected_value":
            bid = self.request.bids.get(self.release.ranking.catalog.item_ids[item], 0)
            return Rule.EXPECTED_VALUE if bid > 0 else Rule.BIDS
        if item in ranked.full:
            return Rule.MAX_PER_CATEGORY
        return Rule.DIVERSITY if scenario.diversity else Rule.MIN_FRESH_SHARE


def _followed(count: int) -> str:
    if count == 0:
        return ""
    return "chosen by somebody you follow" if count == 1 else f"chosen by {count} people you follow"
