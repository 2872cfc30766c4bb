"""Joins a user's snapshot with the delta of the interaction log."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

from feature_repo.histories import History
from feature_repo.interaction import Interaction
from feature_repo.interest_state import InterestState
from serving.answers import Degradation, Fallback, Stage
from serving.user_data.interaction_log import MAX_VISIBILITY_DELAY_US
from serving.user_history import UserHistory, UserVersion


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


@dataclass(frozen=True, slots=True, eq=False)
class VersionedSnapshot:
    """The snapshot that was read for a user, with its version in the online store."""

    version: Hashable
    snapshot: Snapshot | None  # None for a user without a snapshot


@dataclass(frozen=True, slots=True, eq=False)
class JoinedHistory:
    """A joined history and its snapshot; `user.version` identifies the delta."""

    snapshot_version: Hashable
    snapshot: Snapshot | None
    user: UserHistory

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
    log_failed: bool = False

    @property
    def recorded_after(self) -> int:
        """The start of the delta, in µs since the epoch; 0 without a snapshot."""
        snapshot = self.snapshot.snapshot if self.snapshot else None
        return max(0, snapshot.as_of - MAX_VISIBILITY_DELAY_US) if snapshot else 0

    def join(self) -> JoinedHistory:
        """Return the joined history, the cached one if both parts are unchanged."""
        # Read each attribute once: a thread that is late may still set it.
        read, delta = self.snapshot, self.delta
        degraded = tuple(self._degraded(read is not None, delta is not None))
        read = read or VersionedSnapshot(None, None)
        snapshot = read.snapshot
        version = UserVersion.of(read.version if snapshot else None, delta or ())
        if self.cached and not degraded and self.cached.has_versions(read.version, version):
            return self.cached
        base = snapshot.history if snapshot else History()
        new = base.new_interactions(delta) if delta else []
        history = base.join(new)
        user = UserHistory(
            history=history,
            profile=snapshot.profile if snapshot else {},
            as_of=snapshot.as_of if snapshot else 0,
            interest_state=snapshot.interest_state if snapshot else None,
            new=new,
            seen_before=_seen_before(snapshot, new, left_out=len(base) + len(new) - len(history)),
            degraded=degraded,
            user_id=self.user_id,
            version=version,
        )
        return JoinedHistory(read.version, snapshot, user)

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


def _seen_before(snapshot: Snapshot | None, new: list[Interaction], left_out: int) -> Sequence[str]:
    """Return the items that are older than the history: the snapshot's, and `left_out` that left it since."""
    seen = snapshot.seen_before if snapshot else ()
    if not left_out:
        return seen
    oldest = snapshot.history.item_ids[:left_out] if snapshot else ()
    return [*seen, *oldest, *(interaction.item_id for interaction in new[:left_out])]
