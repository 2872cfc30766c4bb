"""A user's history in the item indexes of one release."""

import sys
from collections.abc import Iterable
from itertools import repeat

import numpy as np

from serving.ranking.influences import RECENT
from serving.ranking.query import Query
from serving.release.arrays import FloatArray, Indexes
from serving.release.catalog import Catalog
from serving.release.ranking_data import Ranking
from serving.user_history import UserHistory


class IndexedUser:
    """A user's history in item indexes, and the query with all scores computed for it.

    Items that the release does not contain are left out.
    """

    def __init__(self, ranking: Ranking, user: UserHistory) -> None:
        """Index the history; scores are computed on first use."""
        index, history = ranking.catalog.index, user.history
        item_ids, event_types = list(history.item_ids), list(history.event_types)
        items = np.fromiter(map(index.get, item_ids, repeat(-1)), np.int32, len(item_ids))
        timestamps = np.fromiter(history.timestamps, np.int64, len(item_ids))
        positions = np.flatnonzero(items >= 0)
        if len(positions) < len(items):
            items, timestamps = items[positions], timestamps[positions]
        # Interned, because most event types of all users are equal.
        self.event_types = [sys.intern(event_types[position]) for position in positions[-RECENT:].tolist()]
        self.items = items  # [h] oldest first
        self.seen = np.concatenate([items, item_indexes(ranking.catalog, user.seen_before)])
        self._query = Query(ranking, items, timestamps)
        self._with_interest: Query | None = None

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
