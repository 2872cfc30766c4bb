"""A release opened for ranking: all parts of one version behind one reference."""

from collections.abc import Container, Iterable, Sequence, Set
from typing import Final

import numpy as np

from serving.answers import DislikeEffect, InterestPoint, Recommendation, Source
from serving.lru_cache import VersionedCache
from serving.ranking.blend_features import FEATURES
from serving.ranking.candidate_retrieval import Retriever
from serving.ranking.candidate_set import Candidates, SourceBits, source_bits
from serving.ranking.dislike_effects import dislike_effects
from serving.ranking.explanations import Explainer, Reason
from serving.ranking.indexed_user import IndexedUser, item_indexes
from serving.ranking.interest_forecast import interest_points
from serving.ranking.query import Query
from serving.ranking.ranked_items import RankedItems
from serving.ranking.request import Request
from serving.ranking.reranking import Reranker
from serving.ranking.rules import ItemFilter, Rules
from serving.ranking.selection import ScoredSelection, ToLogits, select
from serving.ranking.sparse_scores import is_dense
from serving.ranking.top_k import top_k
from serving.release.arrays import NO_ITEMS, FloatArray, Indexes
from serving.release.ranking_data import Ranking
from serving.user_history import UserHistory

# The memory limit of the cached users. A user takes a history, what explanations compute from it, and the
# scores: in a small catalog one of each item for each feature with a weight, in a large catalog the entries
# of the sparse scores. Sources that only a scenario requests are not counted.
CACHE_BYTES: Final = 75_000_000
_BYTES_PER_USER: Final = 40_000
_BYTES_PER_SCORE: Final = 4
_BYTES_PER_SPARSE_USER: Final = 400_000
_WITHOUT_CACHED_SCORES: Final = frozenset(("als", "popularity", "trend", "repeats"))

# If too little time is left for retrieval, this many of the most trending items are the candidates.
_TRENDING: Final = 2_000


class LoadedRelease:
    """One version, ready to rank; a request uses one reference, so that its answer never mixes versions.

    Caches the scores of the last users by user id and user version: a page requests several lists for one
    user at once. The release owns this cache, because its values depend on the release: they are freed with
    it when another version goes live, and their size depends on its catalog.
    """

    def __init__(self, ranking: Ranking) -> None:
        """Build the index, and rank once, so that the first request does not pay for lazy initialization.

        Raises:
            ValueError: the blend contains a feature that this version does not compute.
        """
        self.ranking, self.version = ranking, ranking.version
        self.retriever, self.reranker = Retriever(ranking), Reranker(ranking)
        self.item_filter = ItemFilter(ranking.catalog, ranking.filters.popularity)
        self.explainer = Explainer(ranking, self.reranker)
        # The evaluation sets "keep" where users choose the same items again.
        self._keeps_seen = ranking.manifest.get("seen_items") == "keep"
        trending = np.sort(top_k(ranking.filters.trend, _TRENDING))
        trend_bit = source_bits((Source.TREND,))
        self.trending = Candidates.of(trending, np.full(len(trending), trend_bit, SourceBits))
        count = len(ranking.catalog)
        features = frozenset(self.reranker.weights) if ranking.blend else frozenset(FEATURES)
        self._users = VersionedCache[str, IndexedUser](max_cached_users(count, features))
        self._first_item = np.arange(min(1, count), dtype=np.int32)
        self._rank_once()

    def forget(self, users: Container[str]) -> None:
        """Drop the cached scores of these users."""
        self._users.discard(users.__contains__)

    def index(self, user: UserHistory) -> IndexedUser:
        """Return the user's history in item indexes, cached while the user's version stays the same."""
        if user.version is None:
            return IndexedUser(self.ranking, user)
        indexed = self._users.get(user.user_id, user.version)
        if indexed is None:
            indexed = IndexedUser(self.ranking, user)
            self._users.put(user.user_id, user.version, indexed)
        return indexed

    def prepare(self, query: Query) -> None:
        """Compute what each answer of the query needs: scores, and what reasons need of the history.

        What needs the interest is computed only if the query has one.
        """
        self.retriever.prepare(query)
        self.explainer.prepare(query)
        self.reranker.score(query, self._first_item)

    def rules(
        self,
        request: Request,
        now: int,
        seen: Indexes = NO_ITEMS,
        capped: Iterable[str] = (),
        disliked: Indexes = NO_ITEMS,
    ) -> Rules:
        """Return the rules of a request in item indexes; unknown item ids are ignored.

        Args:
            now: µs since the epoch.
            seen: [n] indexes of the items that the user has interacted with.
            capped: ids of the items at their frequency cap.
            disliked: [n] indexes of the items that the user dislikes; they are never answered.
        """
        scenario, catalog = request.scenario, self.ranking.catalog
        return Rules(
            now=now,
            excluded=item_indexes(catalog, request.exclude.union(scenario.exclude_item_ids)),
            seen=NO_ITEMS if request.include_seen or self._keeps_seen else seen,
            disliked=disliked,
            capped=item_indexes(catalog, capped),
            allowed=item_indexes(catalog, request.allow) if request.allow else None,
            domain=request.domain or scenario.domain,
            categories=tuple(request.categories or scenario.categories),
            excluded_categories=tuple(request.exclude_categories.union(scenario.exclude_categories)),
            sources=int(source_bits(map(Source, scenario.sources))),
        )

    def with_request_items(
        self, candidates: Candidates, request: Request, followed: Iterable[str]
    ) -> Candidates:
        """Return the candidates and the request's own items: those of followed users, and those with a bid.

        `followed`: item ids.
        """
        if followed:
            candidates = candidates.union(item_indexes(self.ranking.catalog, followed), Source.FOLLOWED)
        if request.bids:
            candidates = candidates.union(item_indexes(self.ranking.catalog, request.bids))
        return candidates

    def select(
        self,
        candidates: Candidates,
        scores: FloatArray,
        without_dislikes: FloatArray,
        request: Request,
        to_logits: ToLogits = np.asarray,
    ) -> ScoredSelection:
        """Select the answer among scored candidates; arguments as in serving.ranking.selection.select."""
        fresh = self.item_filter.fresh
        return select(self.ranking, fresh, candidates, scores, without_dislikes, request, to_logits)

    def rank(self, query: Query, candidates: Candidates, request: Request) -> RankedItems:
        """Return the k best candidates by the blend, under the request's scenario."""
        scored = self.reranker.score(query, candidates.items)
        selection = self.select(candidates, scored.scores, scored.without_dislikes(), request)
        contributions = scored.contributions(selection.positions)
        # The mean over choices, not items: otherwise popularity would explain every popular item.
        mean = scored.mean_contributions(self.ranking.filters.popularity.take(candidates.items))
        return RankedItems.of(candidates, selection, contributions, contributions - mean)

    def present(
        self, query: Query, event_types: Sequence[str], ranked: RankedItems, explain: bool
    ) -> list[Recommendation]:
        """Return the ranked items with titles, sources and reasons; with `explain`, with contributions.

        `event_types`: of the query's last interactions, as in Explainer.reasons.
        """
        reasons = [Reason(sentence) for sentence in ranked.sentences] or self.explainer.reasons(
            query, event_types, ranked.items, ranked.contributions_over_mean, explain
        )
        return ranked.present(self.ranking.catalog, reasons, explain)

    def dislike_effects(self, query: Query, ranked: RankedItems) -> list[DislikeEffect]:
        """Return what the ranked items contain less of than without the user's dislikes."""
        if query.dislikes is None or not len(ranked.displaced):
            return []
        return dislike_effects(query.dislikes, ranked.displaced.tolist(), self.ranking.catalog)

    def interest_points(
        self, user: IndexedUser, forecast: FloatArray, request: Request, now: int
    ) -> list[InterestPoint]:
        """Return a point for each step of a forecast [steps, interest size], among the permitted items.

        `now`: µs since the epoch.
        """
        rules = self.rules(request, now, user.seen, disliked=user.disliked)
        everything = np.arange(len(self.ranking.catalog), dtype=np.int32)
        permitted = self.item_filter.permitted(rules, everything)
        return interest_points(self.ranking, forecast, permitted, request.k)

    def _rank_once(self) -> None:
        first = self._first_item
        interest = np.zeros(self.ranking.item_embeddings.shape[1], np.float32)
        query = Query(self.ranking, first, np.zeros(len(first), np.int64), interest)
        candidates = self.item_filter.select(Rules(now=0, excluded=first), self.retriever.retrieve(query), 1)
        self.present(query, [""] * len(first), self.rank(query, candidates, Request("", k=1)), explain=True)


def max_cached_users(item_count: int, features: Set[str]) -> int:
    """Return how many users of a catalog of this size fit into CACHE_BYTES.

    `features`: those with a weight.
    """
    scores = _BYTES_PER_SPARSE_USER
    if is_dense(item_count):
        scores = _BYTES_PER_SCORE * item_count * len({*features, "interest"} - _WITHOUT_CACHED_SCORES)
    return CACHE_BYTES // (_BYTES_PER_USER + scores)
