"""Ranks one request with one release: retrieval, rules, reranking, explanations."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from serving.answers import Basis, Degradation, Fallback, Recommendation, Removed, RemovedCount, Rule, Stage
from serving.ranking.candidate_set import Candidates
from serving.ranking.cold_start import cold_scores, rank_cold
from serving.ranking.indexed_user import IndexedUser
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.query import Query
from serving.ranking.ranked_items import RankedItems
from serving.ranking.request import Request
from serving.ranking.rules import Rules
from serving.ranking.top_k import best_positions
from serving.release.arrays import FloatArray, Indexes
from serving.user_data.request_context import RequestContext


@dataclass(eq=False)
class RequestRanking:
    """The state that the stages of one answer share."""

    release: LoadedRelease
    request: Request
    user: IndexedUser
    query: Query
    now: int  # µs since the epoch
    profile: Mapping[str, str | float]
    context: RequestContext
    cold: bool  # rank without the history: it is empty, or too little time is left
    degraded: list[Degradation] = field(default_factory=list)
    rules: Rules = field(init=False)

    def __post_init__(self) -> None:
        self.rules = self.release.rules(
            self.request, self.now, self.user.seen, self.context.capped, self.user.disliked
        )

    def retrieve(self, fallback: Candidates | None = None) -> Candidates:
        """Return the candidates of the release's sources, or `fallback`, with the request's own items."""
        candidates = fallback
        if candidates is None:
            candidates = self.release.retriever.retrieve(self.query, self.rules.sources)
        return self.release.with_request_items(candidates, self.request, self.context.followed)

    def select(self, retrieved: Candidates) -> Candidates:
        """Return the permitted candidates, with further permitted items if they are fewer than k.

        If the scenario's sources have no permitted candidate, all sources are used.
        """
        select, k = self.release.item_filter.select, self.request.k
        candidates = select(self.rules, retrieved, k)
        if not self.rules.sources or len(candidates.items):
            return candidates
        sources = ", ".join(self.request.scenario.sources)
        self.degraded.append(Degradation(Stage.SOURCES, f"{sources} gave no candidate", Fallback.ALL_SOURCES))
        self.rules = replace(self.rules, sources=0)
        return select(self.rules, retrieved, k)

    def rank(self, retrieved: Candidates, candidates: Candidates) -> tuple[RankedItems, Basis]:
        """Return the answer and its basis.

        If a quota per category leaves fewer than k items, the most popular items of each category are added.
        """
        k, quota = self.request.k, self.request.scenario.max_per_category
        if self.request.scenario.balance_exposure and self.release.ranking.exposure_offsets is None:
            reason = f"release {self.release.version} has no exposure offsets"
            self.degraded.append(Degradation(Stage.EXPOSURE_BALANCE, reason, Fallback.UNBALANCED_EXPOSURE))
        ranked, basis = self._rank(candidates)
        if quota and len(ranked.items) < k:
            more = self.release.item_filter.select(self.rules, retrieved, k, quota)
            if len(more.items) > len(candidates.items):
                return self._rank(more)
        return ranked, basis

    def _rank(self, candidates: Candidates) -> tuple[RankedItems, Basis]:
        if self.cold:
            return rank_cold(self.release, candidates, self.request, self.now, self.profile, self.query)
        return self.release.rank(self.query, candidates, self.request), Basis.HISTORY

    def present(self, ranked: RankedItems) -> list[Recommendation]:
        """Return the recommendations; the reason of an item of followed users is their number."""
        items = self.release.present(self.query, self.user.event_types, ranked, self.request.explain)
        followed = self.context.followed
        if not followed:
            return items
        return [
            replace(item, reason=_reason_by_followed(followed.get(item.item_id, 0)) or item.reason)
            for item in items
        ]

    def removed(self, retrieved: Candidates, ranked: RankedItems) -> list[Removed]:
        """Return the items among the k best retrieved ones that are not in `ranked`, best first.

        Each has the rule that removed it. The k best with dislikes are meant, and the k best without them.
        """
        scores, without_dislikes = self._scores(retrieved.items)
        best = [best_positions(each, self.request.k) for each in (scores, without_dislikes)]
        positions = np.union1d(*best)
        positions = positions[~np.isin(retrieved.items[positions], ranked.items)]
        positions = positions[np.argsort(-scores[positions], kind="stable")]
        items = retrieved.items[positions]
        ascending = np.sort(items)
        by_rules = self.release.item_filter.removed_by(self.rules, ascending)
        rules = dict(zip(ascending.tolist(), by_rules, strict=True))
        catalog = self.release.ranking.catalog
        rows = zip(
            items.tolist(), scores[positions].tolist(), retrieved.sources_of(items).tolist(), strict=True
        )
        return [
            Removed(
                catalog.item_ids[item],
                catalog.titles[item],
                score,
                rules[item] or self._other_rule(item, sources, ranked),
            )
            for item, score, sources in rows
        ]

    def removed_counts(self, ranked: RankedItems) -> list[RemovedCount]:
        """Return what removed items, the most first, if fewer than k are left; else nothing."""
        if len(ranked.items) >= self.request.k:
            return []
        counts = self.release.item_filter.removed_counts(self.rules)
        counts[Rule.MAX_PER_CATEGORY] = len(ranked.over_quota)
        rest = len(self.release.ranking.catalog) - sum(counts.values()) - len(ranked.items)
        rule = self._rule_of_candidates()
        counts[rule] = counts.get(rule, 0) + rest
        by_count = sorted(counts.items(), key=lambda entry: -entry[1])
        return [RemovedCount(rule, items) for rule, items in by_count if items > 0]

    def _rule_of_candidates(self) -> Rule:
        """Return the rule that keeps permitted items from being candidates."""
        if self.request.scenario.objective == "expected_value":
            return Rule.BIDS
        return Rule.SOURCES if self.rules.sources else Rule.MAX_PER_CATEGORY

    def _scores(self, items: Indexes) -> tuple[FloatArray, FloatArray]:
        """Return the scores of `items` [m] with and without dislikes."""
        if self.cold:
            cold = cold_scores(self.release, items, self.now, self.profile, self.query)
            return cold.scores, cold.without_dislikes
        scored = self.release.reranker.score(self.query, items)
        return scored.scores, scored.without_dislikes()

    def _other_rule(self, item: int, sources: int, ranked: RankedItems) -> Rule:
        """Return why an item is left out that no rule removes: dislikes, or a key of the scenario."""
        if item in ranked.displaced:
            return Rule.LIKE_DISLIKED
        scenario = self.request.scenario
        if self.rules.sources and not sources & self.rules.sources:
            return Rule.SOURCES
        if scenario.objective == "expected_value":
            bid = self.request.bids.get(self.release.ranking.catalog.item_ids[item], 0)
            return Rule.EXPECTED_VALUE if bid > 0 else Rule.BIDS
        if item in ranked.over_quota:
            return Rule.MAX_PER_CATEGORY
        if scenario.exploration:
            return Rule.EXPLORATION
        if scenario.balance_exposure and not scenario.diversifies:
            return Rule.BALANCE_EXPOSURE
        return Rule.DIVERSITY if scenario.diversity else Rule.MIN_FRESH_SHARE


def _reason_by_followed(count: int) -> str:
    if count == 0:
        return ""
    return "chosen by a person you follow" if count == 1 else f"chosen by {count} people you follow"
