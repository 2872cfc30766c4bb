"""Joins a user's snapshot with the delta of the interaction log."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from feature_repo.contract import MAX_HISTORY, MAX_SEEN_BEFORE
from feature_repo.histories import History
from feature_repo.interaction import Interaction
from feature_repo.interest_state import InterestState
from feature_repo.searches import Searches
from serving.answers import Degradation, Fallback, Stage
from serving.user_history import UserHistory, UserVersion

# The last recorded interactions of a busy user whose items count as seen.
_MAX_ITEMS: Final = MAX_HISTORY + MAX_SEEN_BEFORE


class Snapshot(Protocol):
    """A user's features as of the last materialization, as in online_features.UserFeatures."""

    @property
    def history(self) -> History: ...
    @property
    def as_of(self) -> int: ...
    @property
    def profile(self) -> dict[str, str | float]: ...
    @property
    def interest_state(self) -> InterestState | None: ...
    @property
    def seen_before(self) -> Sequence[str]: ...
    @property
    def disliked_before(self) -> Sequence[str]: ...
    @property
    def searches(self) -> Searches: ...


@dataclass(frozen=True, slots=True, eq=False)
class VersionedSnapshot:
    """The snapshot that was read for a user, with its version in the online store."""

    version: Hashable
    snapshot: Snapshot | None  # None for a user without a snapshot


@dataclass(frozen=True, slots=True, eq=False)
class BusyDelta:
    """What a history needs of a delta with more interactions than it holds.

    The delta then has the last recorded ones, and these are the newest ones and the items of all others.
    """

    newest: list[Interaction]
    items: Sequence[str]  # one more than _MAX_ITEMS shows that there are others


@dataclass(frozen=True, slots=True, eq=False)
class JoinedHistory:
    """A joined history and its snapshot; `user.version` identifies the delta."""

    snapshot_version: Hashable
    snapshot: Snapshot | None
    user: UserHistory
    is_whole: bool  # every part was read
    delta_ids: str = ""  # of a busy user, as InteractionLog.since_ids

    def has_versions(self, snapshot_version: Hashable, version: UserVersion) -> bool:
        """Return whether snapshot and delta are unchanged; a user without a snapshot may have got one."""
        return self.snapshot_version == snapshot_version and self.user.version == version


@dataclass(slots=True)
class HistoryParts:
    """The parts that have been read; when the budget is over, the request continues with these."""

    user_id: str
    cached: JoinedHistory | None
    snapshot: VersionedSnapshot | None = None  # None: not read
    snapshot_failed: bool = False
    delta: list[Interaction] | None = None  # None: not read
    busy_delta: BusyDelta | None = None  # None: not read, or not needed
    log_failed: bool = False
    is_unchanged: bool = False  # the cached history of a busy user still holds

    @property
    def as_of(self) -> int:
        """The time of the snapshot, in µs since the epoch; 0 without a snapshot."""
        snapshot = self.snapshot.snapshot if self.snapshot else None
        return snapshot.as_of if snapshot else 0

    @property
    def cached_delta_ids(self) -> str:
        """The ids of the delta of a busy user whose snapshot is the cached one; otherwise empty."""
        if self.cached is None or self.snapshot is None:
            return ""
        return self.cached.delta_ids if self.snapshot.version == self.cached.snapshot_version else ""

    @property
    def is_busy(self) -> bool:
        """Whether the delta has more interactions than a history holds."""
        return self.delta is not None and len(self.delta) > MAX_HISTORY

    def join(self) -> JoinedHistory:
        """Return the joined history, the cached one if both parts are unchanged."""
        if self.cached and self.is_unchanged:
            return self.cached
        # Read each attribute once: a thread that is late may still set it.
        read, delta, busy_delta = self.snapshot, self.delta, self.busy_delta
        degraded = self._degraded(read is not None, delta is not None)
        read = read or VersionedSnapshot(None, None)
        snapshot = read.snapshot
        version = UserVersion.of(read.version if snapshot else None, delta or ())
        if self.cached and not degraded and self.cached.has_versions(read.version, version):
            return self.cached
        is_busy = delta is not None and len(delta) > MAX_HISTORY
        is_whole = not degraded and is_busy <= (busy_delta is not None)
        delta_ids = "\n".join(each.interaction_id for each in delta) if delta and is_busy else ""
        seen: Sequence[str] = snapshot.seen_before if snapshot else ()
        searches = (snapshot.searches if snapshot else Searches()).extend(delta or ())
        if delta and is_busy:
            degraded += _cut(busy_delta)
            if busy_delta:
                seen = list(dict.fromkeys([*seen, *busy_delta.items]))
                delta = [*busy_delta.newest, *delta]
        base = snapshot.history if snapshot else History()
        new = base.new_interactions(delta) if delta else []
        history = base.join(new)
        is_cut = len(history) < len(base) + len(new)
        user = UserHistory(
            history=history,
            profile=snapshot.profile if snapshot else {},
            as_of=snapshot.as_of if snapshot else 0,
            interest_state=snapshot.interest_state if snapshot else None,
            new=new,
            whole=base.join(new, len(base) + len(new)) if is_cut else None,
            seen_before=seen,
            disliked_before=snapshot.disliked_before if snapshot else (),
            searches=searches,
            degraded=tuple(degraded),
            user_id=self.user_id,
            version=version,
            is_busy=is_busy,
        )
        return JoinedHistory(read.version, snapshot, user, is_whole, delta_ids)

    def _degraded(self, has_snapshot: bool, has_delta: bool) -> list[Degradation]:
        late, failed = "did not answer in time", "is unavailable"
        degraded = []
        if not has_snapshot:
            reason = f"the feature store {failed if self.snapshot_failed else late}"
            fallback = Fallback.INTERACTION_LOG if has_delta else Fallback.REQUEST_HISTORY
            degraded.append(Degradation(Stage.HISTORY, reason, fallback))
        if not has_delta:
            reason = f"the interaction log {failed if self.log_failed else late}"
            fallback = Fallback.SNAPSHOT if has_snapshot else Fallback.REQUEST_HISTORY
            degraded.append(Degradation(Stage.HISTORY, reason, fallback))
        return degraded


def _cut(busy_delta: BusyDelta | None) -> list[Degradation]:
    """Return what an answer to a busy user lacks."""
    if busy_delta is None:
        reason = f"only the last {MAX_HISTORY} recorded interactions were read in time"
    elif len(busy_delta.items) > _MAX_ITEMS:
        reason = (
            f"of more than {_MAX_ITEMS} new interactions, the items of the earlier ones do not count as seen"
        )
    else:
        return []
    return [Degradation(Stage.HISTORY, reason, Fallback.NEWEST_INTERACTIONS)]
