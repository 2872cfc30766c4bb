"""Records interactions within a client's deadline."""

from collections.abc import Sequence
from typing import Protocol

from feature_repo.interaction import Interaction
from serving.answers import Recorded
from serving.deadline import Deadline
from serving.errors import Unavailable
from serving.release_watcher import ReleaseWatcher
from serving.telemetry.metrics import Metrics
from serving.user_data.bulkhead import Bulkhead


class WritableLog(Protocol):
    """serving.user_data.interaction_log.InteractionLog is one."""

    def record(self, interactions: Sequence[Interaction], /) -> int: ...


class Recorder:
    """Writes to the log and to nothing else: the next answer and the next run both read it there."""

    def __init__(
        self, log: WritableLog, releases: ReleaseWatcher, metrics: Metrics, threads: int = 16
    ) -> None:
        self._log, self._releases, self._metrics = log, releases, metrics
        self._bulkhead = Bulkhead("record", threads)

    async def record(self, interactions: Sequence[Interaction], deadline: Deadline) -> Recorded:
        """Record all or none; durable on return.

        An item that the live release doesn't know is recorded too, since it may be new, and named in the
        answer, since it may be a slip.

        Raises:
            Unavailable: the log did not take them in time.
        """
        try:
            new = await self._bulkhead.run(deadline.remaining_s(), self._log.record, interactions)
        except TimeoutError as error:
            raise Unavailable(
                "the interaction log did not answer in time, so these may be recorded or not: "
                "retry with the same interaction ids"
            ) from error
        self._metrics.recorded.inc(new)
        return Recorded([given.interaction_id for given in interactions], new, self._unknown(interactions))

    def close(self) -> None:
        self._bulkhead.close()

    def _unknown(self, interactions: Sequence[Interaction]) -> list[str]:
        release = self._releases.current
        if release is None:
            return []
        known = release.ranking.catalog.index
        return list(dict.fromkeys(given.item_id for given in interactions if given.item_id not in known))
