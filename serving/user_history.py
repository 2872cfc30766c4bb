"""A user's history and profile at the time of a request, and the version of the data behind them."""

import hashlib
import sys
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from feature_repo.histories import History
from feature_repo.interaction import Interaction
from feature_repo.interest_state import InterestState
from feature_repo.searches import Searches
from serving.answers import Degradation

_UNLIMITED: Final = sys.maxsize


@dataclass(frozen=True, slots=True)
class UserVersion:
    """Identifies the data behind a user's history: equal versions of one user mean equal histories.

    All caches of per-user values use it as a part of their key.
    """

    snapshot: Hashable  # version of the user's features in the online store; None without a snapshot
    delta: bytes  # digest of the interactions recorded since the snapshot; empty without any

    @classmethod
    def of(cls, snapshot: Hashable, delta: Iterable[Interaction]) -> "UserVersion":
        """Build from a snapshot's version and the ids of the interactions of the delta."""
        ids = "\0".join(sorted(interaction.interaction_id for interaction in delta))
        return cls(snapshot, hashlib.blake2b(ids.encode(), digest_size=16).digest() if ids else b"")


@dataclass(frozen=True, slots=True)
class UserHistory:
    """A user's history: the snapshot in the online store joined with the delta, the later interactions."""

    history: History
    profile: dict[str, str | float] = field(default_factory=dict)
    as_of: int = 0  # µs since the epoch, of the snapshot; 0 without a snapshot
    interest_state: InterestState | None = None  # after the snapshot's history
    new: list[Interaction] = field(default_factory=list)  # in the history, not in the snapshot; in order
    whole: History | None = None  # with interactions older than the history's; None: there are none
    seen_before: Sequence[str] = ()  # items of still older interactions
    disliked_before: Sequence[str] = ()  # those of them that the user disliked, as of the snapshot
    searches: Searches = field(default_factory=Searches)
    degraded: tuple[Degradation, ...] = ()
    user_id: str = ""
    version: UserVersion | None = None  # None: nothing that is computed from it may be cached
    is_busy: bool = False  # more was recorded since the snapshot than a history holds

    def with_request_history(self, interactions: Sequence[Interaction]) -> "UserHistory":
        """Return the history with the interactions that a request carries.

        The same item at the same time is the same event, whatever its interaction id.
        """
        if not interactions:
            return self
        events = set(zip(self.history.item_ids, self.history.timestamps, strict=True))
        new = self.history.new_interactions(
            interaction
            for interaction in interactions
            if (interaction.item_id, interaction.timestamp) not in events
        )
        searches = self.searches.extend(interactions)
        if not new:
            return self if searches is self.searches else replace(self, searches=searches, version=None)
        whole = (self.whole or self.history).join(new, _UNLIMITED)
        return replace(
            self,
            history=whole.newest(),
            whole=whole,
            searches=searches,
            interest_state=None,
            new=[],
            version=None,
        )
