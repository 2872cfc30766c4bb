"""A user's history at this moment: Feast's snapshot, joined with what the log holds since."""

import logging
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from threading import Lock
from time import monotonic
from typing import Final, Protocol

from feature_repo.histories import History
from feature_repo.interaction import Interaction
from feature_repo.interest_state import InterestState
from serving.answers import Degradation, Fallback, Stage
from serving.errors import Unavailable
from serving.lru_cache import LruCache
from serving.telemetry.logs import OncePerSecond
from serving.user_data.bulkhead import Bulkhead
from serving.user_data.interaction_log import OVERLAP_US
from serving.user_history import UserHistory

logger = logging.getLogger(__name__)
logger.addFilter(OncePerSecond())

# A feature store that could not be opened is tried again no sooner than this.
_REOPEN_S: Final = 1.0

# A part that took longer than this is read in a thread for so long: an event loop waits for nobody.
_SLOW_S: Final = 0.01
_WARY_S: Final = 1.0

# What the snapshot may take of the time for the history, so that the log still answers when Feast hangs.
_SNAPSHOT_SHARE: Final = 0.6

# Users whose history is kept as it was joined; each answer still reads what there is to join.
_KEPT: Final = 800


class Snapshot(Protocol):
    """A user's features as of the last materialization; serving.online_store.online.UserFeatures is one."""

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


class Features(Protocol):
    """Where snapshots come from; serving.online_store.online.OnlineFeatures is one."""

    @property
    def gives_up_after_s(self) -> float: ...
    def user(self, user_id: str, /) -> Snapshot | None: ...


class Log(Protocol):
    """Where newer interactions come from; serving.user_data.interaction_log.InteractionLog is one."""

    @property
    def gives_up_after_s(self) -> float: ...
    def since(self, user_id: str, recorded_after: int, /) -> list[Interaction]: ...


class HistoryReader:
    """Reads both parts within a budget: a store that hangs costs a request that much, and no more.

    A part with a timeout of its own is read at once; one that may hang, or was slow a moment ago, is read in
    a thread of its own.
    """

    def __init__(
        self,
        open_features: Callable[[], Features],
        log: Log,
        threads: int = 16,
    ) -> None:
        """`open_features` is called at the first read, and again from time to time until it succeeds."""
        self._open_features, self._log = open_features, log
        self._features: Features | None = None
        self._opening, self._retry_at = Lock(), 0.0
        self._wary_until = 0.0
        self._snapshots, self._deltas = Bulkhead("snapshot", threads), Bulkhead("log", threads)
        self._kept = LruCache[str, _Joined](_KEPT)

    async def read(self, user_id: str, budget_s: float) -> UserHistory:
        """The user's history within `budget_s`; what could not be read stands in `degraded`."""
        start, reading = monotonic(), _Reading()
        read_snapshot = partial(self._read_snapshot, user_id, reading)
        read_log = partial(self._read_log, user_id, reading)
        patience_s = self._features.gives_up_after_s if self._features else math.inf
        worst_s = patience_s + self._log.gives_up_after_s
        if worst_s <= budget_s and start >= self._wary_until:  # threads would cost half as much again
            read_snapshot()
            read_log()
            if monotonic() - start > _SLOW_S:
                self._wary_until = monotonic() + _WARY_S
        else:
            await self._within(budget_s * _SNAPSHOT_SHARE, self._snapshots, read_snapshot)
            await self._within(start + budget_s - monotonic(), self._deltas, read_log)
        return self._join(user_id, reading)

    def _join(self, user_id: str, reading: "_Reading") -> UserHistory:
        """What both parts give, the same object as before where both are the same as before."""
        snapshot, delta = reading.snapshot, reading.delta
        if snapshot is None or delta is None:
            return reading.result()
        known = self._kept.get(user_id)
        if known is None or known.snapshot is not snapshot or known.delta != delta:
            known = _Joined(snapshot, delta, reading.result())
            if not known.user.degraded:
                self._kept.put(user_id, known)
        return known.user

    def warm(self) -> None:
        """Open both parts and read from each once, before the first request has to."""
        try:
            self._opened().user("")
        except Exception as error:  # as above: it is tried again when a request needs it
            logger.warning("the feature store can't be opened yet: %s", error)
        try:
            self._log.since("", 0)
        except Unavailable as error:
            logger.warning("the interaction log can't be opened yet: %s", error)

    def close(self) -> None:
        self._snapshots.close()
        self._deltas.close()

    async def _within(self, seconds: float, bulkhead: Bulkhead, read: Callable[[], None]) -> None:
        """Wait for `read`, but no longer than `seconds`."""
        try:
            with suppress(TimeoutError):
                await bulkhead.run(seconds, read)
        except Unavailable as error:
            logger.warning("%s", error)

    def _read_snapshot(self, user_id: str, reading: "_Reading") -> None:
        try:
            reading.snapshot = self._opened().user(user_id)
        except Exception as error:  # whatever a store raises, the answer goes on without it
            logger.warning("no snapshot: %r", error, exc_info=logger.isEnabledFor(logging.DEBUG))
            reading.snapshot_failed = True
        reading.snapshot_done = True

    def _read_log(self, user_id: str, reading: "_Reading") -> None:
        try:
            reading.delta = self._log.since(user_id, reading.recorded_after)
        except Unavailable as error:
            logger.warning("no delta: %s", error)
            reading.log_failed = True

    def _opened(self) -> Features:
        if self._features is not None:
            return self._features
        with self._opening:
            if self._features is None:
                if monotonic() < self._retry_at:
                    raise Unavailable("the feature store could not be opened a moment ago")
                try:
                    self._features = self._open_features()
                except Exception:
                    self._retry_at = monotonic() + _REOPEN_S
                    raise
        return self._features


@dataclass(frozen=True, slots=True, eq=False)
class _Joined:
    """A user as both parts gave it."""

    snapshot: Snapshot
    delta: list[Interaction]
    user: UserHistory


@dataclass(slots=True)
class _Reading:
    """What has been read so far; the waiting request takes it as it stands when its budget is over."""

    snapshot: Snapshot | None = None
    snapshot_done: bool = False
    snapshot_failed: bool = False
    delta: list[Interaction] | None = None
    log_failed: bool = False

    @property
    def recorded_after(self) -> int:
        return max(0, self.snapshot.as_of - OVERLAP_US) if self.snapshot else 0

    def result(self) -> UserHistory:
        snapshot, delta = self.snapshot, self.delta
        base = snapshot.history if snapshot else History()
        new = base.new_interactions(delta) if delta else []
        history = base.join(new)
        return UserHistory(
            history=history,
            profile=snapshot.profile if snapshot else {},
            as_of=snapshot.as_of if snapshot else 0,
            interest_state=snapshot.interest_state if snapshot else None,
            new=new,
            seen_before=_seen_before(snapshot, new, left_out=len(base) + len(new) - len(history)),
            degraded=tuple(self._degraded(delta)),
        )

    def _degraded(self, delta: list[Interaction] | None) -> list[Degradation]:
        late, failed = "did not answer in time", "is unavailable"
        lost = []
        if not self.snapshot_done or self.snapshot_failed:
            reason = f"the feature store {failed if self.snapshot_failed else late}"
            fallback = Fallback.INTERACTION_LOG if delta is not None else Fallback.REQUEST_HISTORY
            lost.append(Degradation(Stage.HISTORY, reason, fallback))
        if delta is None:
            reason = f"the interaction log {failed if self.log_failed else late}"
            fallback = Fallback.REQUEST_HISTORY if lost else Fallback.SNAPSHOT
            lost.append(Degradation(Stage.HISTORY, reason, fallback))
        return lost


def _seen_before(snapshot: Snapshot | None, new: list[Interaction], left_out: int) -> Sequence[str]:
    """What stood before the snapshot's history, and what has left it since."""
    seen = snapshot.seen_before if snapshot else ()
    if not left_out:
        return seen
    stood = snapshot.history.item_ids[:left_out] if snapshot else ()
    return [*seen, *stood, *(interaction.item_id for interaction in new[:left_out])]
