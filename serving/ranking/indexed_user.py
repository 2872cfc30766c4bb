"""A user's history in the item indexes of one release."""

from collections.abc import Iterable
from itertools import repeat

import numpy as np

from feature_repo.event_types import SEARCH, Kind
from serving.ranking.query import Query
from serving.ranking.search_matches import SearchMatches
from serving.ranking.signed_history import Judged, SignedHistory
from serving.release.arrays import FloatArray, Indexes
from serving.release.catalog import Catalog
from serving.release.ranking_data import Ranking
from serving.user_history import UserHistory


class IndexedUser:
    """A user's history in item indexes, and the query with all scores computed for it.

    `event_types` belong to the query's last interactions. `seen` are all items of the history and those
    before it. `disliked` are the items about which the user's last opinion is a dislike. Items that the
    release does not contain are left out.
    """

    def __init__(self, ranking: Ranking, user: UserHistory, judged: Judged | None = None) -> None:
        """Index the history; scores are computed on first use.

        Args:
            judged: of the whole history, if they are known; see SignedHistory.
        """
        catalog, length, everything = ranking.catalog, len(user.history), user.whole or user.history
        item_ids = list(everything.item_ids)
        items = np.fromiter(map(catalog.index.get, item_ids, repeat(-1)), np.int32, len(item_ids))
        timestamps = np.fromiter(everything.timestamps, np.int64, len(item_ids))
        signed = SignedHistory.of(
            ranking,
            items,
            timestamps,
            list(everything.event_types),
            everything.values,
            length,
            item_indexes(catalog, user.disliked_before),
            judged,
        )
        self.event_types = signed.event_types
        self.seen = np.concatenate([items[items >= 0], item_indexes(catalog, user.seen_before)])
        self.disliked = signed.disliked
        counts = len(user.searches) and ranking.feedback.kind(SEARCH) is Kind.POSITIVE
        searches = SearchMatches.of(ranking.words, user.searches, timestamps) if counts else None
        self._query = Query.of(ranking, signed, searches)
        self._with_interest: Query | None = None

    @property
    def is_cold(self) -> bool:
        """Whether no interaction of the history votes for an item of the release."""
        return not len(self._query.history)

    def query(self, interest: FloatArray | None) -> Query:
        """Return the user's query; with an equal interest, the same query as before."""
        if interest is None:
            return self._query
        query = self._with_interest
        if query is None or not np.array_equal(query.interest, interest):  # type: ignore[arg-type]
            query = self._with_interest = self._query.with_interest(interest)
        return query


def item_indexes(catalog: Catalog, item_ids: Iterable[str]) -> Indexes:
    """Return the indexes of the items that the catalog has."""
    index = catalog.index
    return np.array([index[item_id] for item_id in item_ids if item_id in index], np.int32)
