"""A user's last searches by words, and how searches are added to them: for training and serving."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from feature_repo.contract import MAX_SEARCHES
from feature_repo.interaction import Interaction


@dataclass(frozen=True, slots=True)
class Searches:
    """A user's newest MAX_SEARCHES searches: parallel lists, ordered by (timestamp, query), oldest first.

    They are no part of a history: a search concerns no item, so it is neither a target nor a vote for one.
    """

    queries: Sequence[str] = ()
    timestamps: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self.queries)

    def extend(self, interactions: Iterable[Interaction]) -> "Searches":
        """Return these and the searches among `interactions`; the same words at one time are one search."""
        new = {(row.timestamp, row.query) for row in interactions if row.is_search}
        if not new:
            return self
        pairs = sorted(new.union(zip(self.timestamps, self.queries, strict=True)))[-MAX_SEARCHES:]
        return Searches([query for _, query in pairs], [timestamp for timestamp, _ in pairs])
