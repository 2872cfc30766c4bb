"""A release opened for answering: everything of one version behind one reference."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo.histories import History
from serving.answers import Recommendation, Rule, Source
from serving.lru_cache import LruCache
from serving.ranking.diversification import Order, order_of
from serving.ranking.explanations import RECENT, Reasons
from serving.ranking.request import Request
from serving.ranking.reranking import FEATURES, Reranker
from serving.ranking.retrieval import SOURCES, Candidates, Query, Retriever, SourceBits
from serving.ranking.rules import NO_ITEMS, ItemFilter, Rules, bits, joined
from serving.ranking.sparse_scores import is_dense, top_k
from serving.release.arrays import FloatArray, Indexes
from serving.release.ranking_data import Ranking
from serving.user_history import UserHistory

# What is kept of users between two answers, at most: a page asks for several lists of one user at once. A
# user takes up to four numbers an item, one for each signal; where the catalog is large, what was named.
_KEPT_BYTES: Final = 48_000_000
_BYTES_AN_ITEM: Final = 16
_BYTES_NAMED: Final = 200_000

# Where no time is left to retrieve, the most trending items are the candidates.
_TRENDING = 2_000


@dataclass(frozen=True, eq=False)
class Recognized:
    """The interactions of a history whose items the catalog knows, oldest first."""

    items: Indexes  # [h]
    timestamps: NDArray[np.int64]  # [h] µs since the epoch
    event_types: Sequence[str]  # [≤ h] of the last ones, as many as a reason looks at


@dataclass(eq=False)
class _Kept:
    """A history, and the question that it makes: without an interest, and with the last one."""

    known: Recognized
    bare: Query
    informed: Query | None = None

    def query(self, interest: FloatArray | None) -> Query:
        if interest is None:
            return self.bare
        if self.informed is None or self.informed.interest is not interest:
            self.informed = self.bare.informed(interest)
        return self.informed


@dataclass(frozen=True, eq=False)
class RankedItems:
    """The items of an answer, best first."""

    items: Indexes  # [k]
    sources: NDArray[SourceBits]  # [k] bits as in Candidates
    scores: FloatArray  # [k]
    contributions: FloatArray  # [k, terms] what each term adds; a row sums to its score
    contributions_over_mean: (
        FloatArray  # [k, terms] what each term adds beyond what it adds to an ordinary item
    )
    reordered_by: list[Rule | None]  # [k] the key of the scenario that brought it to its place
    full: Indexes  # items that a limit for each category keeps out
    probabilities: NDArray[np.float64] | None = None  # [k] of being chosen, where they order the answer
    sentences: Sequence[str] = ()  # [k] the reasons, where no history gives them

    @classmethod
    def of(
        cls,
        candidates: Candidates,
        order: Order,
        contributions: FloatArray,
        contributions_over_mean: FloatArray,
        sentences: Sequence[str] = (),
    ) -> "RankedItems":
        """The answered candidates with their rows of the other arguments [k, …]."""
        items = candidates.items[order.places]
        return cls(
            items=items,
            sources=candidates.naming(items),
            scores=order.values,
            contributions=contributions,
            contributions_over_mean=contributions_over_mean,
            reordered_by=order.reordered_by,
            full=order.full,
            probabilities=order.probabilities,
            sentences=sentences,
        )


class LoadedRelease:
    """A request takes this reference once, so that its answer never mixes two versions."""

    def __init__(self, ranking: Ranking) -> None:
        """Builds the index, and ranks once so that the first client does not pay for what is made lazily.

        Raises:
            ReleaseError: the index of a large catalog would miss too much.
            ValueError: the blend names a term that this version does not compute.
        """
        self.ranking, self.version = ranking, ranking.version
        self.retriever, self.reranker = Retriever(ranking), Reranker(ranking)
        self.item_filter = ItemFilter(ranking.catalog, ranking.filters.popularity)
        self.reasons = Reasons(ranking)
        # Where people come back to the same items, the evaluation found that answers should too.
        self._keeps_seen = ranking.manifest.get("seen_items") == "keep"
        trending = np.sort(top_k(ranking.filters.trend, _TRENDING))
        self.trending = Candidates.of(
            trending, np.full(len(trending), 1 << SOURCES.index(Source.TREND), SourceBits)
        )
        count = len(ranking.catalog)
        a_user = _BYTES_AN_ITEM * max(1, count) if is_dense(count) else _BYTES_NAMED
        self._kept = LruCache[int, _Kept](_KEPT_BYTES // a_user)
        self._first = np.arange(min(1, count), dtype=np.int32)
        self._rank_once()

    def recognize(self, history: History) -> Recognized:
        """What the catalog knows of a history."""
        index, item_ids = self.ranking.catalog.index, list(history.item_ids)
        items = np.fromiter(map(index.get, item_ids, repeat(-1)), np.int32, len(item_ids))
        timestamps = np.fromiter(history.timestamps, np.int64, len(item_ids))
        known = np.flatnonzero(items >= 0)
        event_types = list(history.event_types)
        last = [sys.intern(event_types[place]) for place in known[-RECENT:].tolist()]
        if len(known) < len(items):
            items, timestamps = items[known], timestamps[known]
        return Recognized(items, timestamps, last)

    def known(self, user: UserHistory) -> tuple[Recognized, Indexes]:
        """What the catalog knows of a user's history and of what stood before it; worked out once."""
        known: tuple[Recognized, Indexes] | None = user.known.get(self.version)
        if known is None:
            known = self.recognize(user.history), self.indexes(user.seen_before)
            user.known.clear()
            user.known[self.version] = known
        return known

    def query(self, known: Recognized, interest: FloatArray | None, now: int) -> Query:
        """What is worked out of a history, and of an interest, is kept while each is the same object."""
        kept = self._kept.get(id(known))
        if kept is None or kept.known is not known:
            kept = _Kept(known, Query(known.items, known.timestamps, None, now))
            self._kept.put(id(known), kept)
        return kept.query(interest).at(now)

    def prepare(self, query: Query) -> None:
        """Work out, and keep, what sources and terms say of a query; of an interest where it has one."""
        self.retriever.prepare(query)
        self.reranker.score(query, self._first)

    def rules(
        self,
        request: Request,
        query: Query,
        seen_before: Indexes = NO_ITEMS,
        shown: frozenset[str] = frozenset(),
    ) -> Rules:
        """What the request permits, in this catalog's indexes; ids it doesn't know are ignored.

        Args:
            seen_before: items that were seen beside those of the query's history.
            shown: ids of the items at their frequency cap.
        """
        scenario = request.scenario
        seen = np.concatenate([query.history, seen_before]) if len(seen_before) else query.history
        return Rules(
            now=query.now,
            excluded=self.indexes(request.exclude.union(scenario.exclude_item_ids)),
            seen=NO_ITEMS if request.include_seen or self._keeps_seen else seen,
            shown=self.indexes(shown),
            allowed=self.indexes(request.allow) if request.allow else None,
            domain=request.domain or scenario.domain,
            categories=tuple(request.categories or scenario.categories),
            excluded_categories=tuple(request.exclude_categories.union(scenario.exclude_categories)),
            sources=bits(scenario.sources),
        )

    def widened(self, candidates: Candidates, request: Request, followed: Iterable[str]) -> Candidates:
        """The candidates with what the request itself brings: what followed users had, what has a bid."""
        if followed:
            candidates = joined(candidates, self.indexes(followed), Source.FOLLOWED)
        if request.bids:
            candidates = joined(candidates, self.indexes(request.bids), None)
        return candidates

    def order(
        self, candidates: Candidates, scores: FloatArray, request: Request, logits: FloatArray | None = None
    ) -> Order:
        """The answer among scored candidates; arguments as `order_of` takes them."""
        return order_of(self.ranking, self.item_filter.fresh, candidates, scores, request, logits)

    def rank(self, query: Query, candidates: Candidates, request: Request) -> RankedItems:
        """The k best candidates by the blend, as the scenario arranges them."""
        scored = self.reranker.score(query, candidates.items)
        order = self.order(candidates, scored.scores, request)
        contributions = scored.contributions(order.places)
        # What is ordinary: the mean over interactions, so an item is not lifted by being popular alone.
        ordinary = scored.mean_contributions(self.ranking.filters.popularity.take(candidates.items))
        return RankedItems.of(candidates, order, contributions, contributions - ordinary)

    def present(
        self, query: Query, event_types: Sequence[str], ranked: RankedItems, explain: bool
    ) -> list[Recommendation]:
        """What is answered, with titles, sources and reasons; with `explain`, with each term's share."""
        catalog = self.ranking.catalog
        reasons = self.reasons.of(query, event_types, ranked.items, ranked.contributions_over_mean, explain)
        sentences = ranked.sentences or [reason.sentence for reason in reasons]
        chances = ranked.probabilities
        rows = zip(
            ranked.items.tolist(), ranked.sources.tolist(), ranked.scores.tolist(), reasons, strict=True
        )
        return [
            Recommendation(
                item_id=catalog.item_ids[item],
                title=catalog.titles[item],
                categories=catalog.categories[item],
                score=score,
                sources=_SOURCE_NAMES[sources],
                reason=sentences[place],
                contributions=dict(zip(FEATURES, ranked.contributions[place].tolist(), strict=True))
                if explain
                else {},
                because_item_ids=[catalog.item_ids[past] for past in reason.because],
                reordered_by=ranked.reordered_by[place] if explain else None,
                click_probability=None if chances is None else float(chances[place]),
            )
            for place, (item, sources, score, reason) in enumerate(rows)
        ]

    def indexes(self, item_ids: Iterable[str]) -> Indexes:
        """Of the items that the catalog knows."""
        index = self.ranking.catalog.index
        return np.array([index[item_id] for item_id in item_ids if item_id in index], np.int32)

    def _rank_once(self) -> None:
        first, interest = self._first, np.zeros(self.ranking.item_embeddings.shape[1], np.float32)
        query = Query(first, np.zeros(len(first), np.int64), interest, now=0)
        candidates = self.item_filter.select(Rules(now=0, excluded=first), self.retriever.retrieve(query), 1)
        self.present(query, [""] * len(first), self.rank(query, candidates, Request("", k=1)), explain=True)


# Source bits -> their names.
_SOURCE_NAMES = [
    [source for bit, source in enumerate(SOURCES) if bits & (1 << bit)] for bits in range(1 << len(SOURCES))
]
