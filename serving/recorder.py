"""Records interactions in the log within the client's deadline."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Protocol

from feature_repo.event_types import IMPRESSION, Kind
from feature_repo.interaction import Interaction
from serving.answers import Recorded
from serving.deadline import Deadline
from serving.errors import Unavailable
from serving.exposures.exposure_log import ExposureLog
from serving.release_watcher import ReleaseWatcher
from serving.telemetry.metrics import Metrics
from serving.user_data.bulkhead import Bulkhead


class WritableLog(Protocol):
    """The part of serving.user_data.interaction_log.InteractionLog that the recorder needs."""

    def record(self, interactions: Sequence[Interaction], without_time: Collection[str], /) -> int: ...


class Recorder:
    """Writes interactions to the log, from which answers and training runs read them."""

    def __init__(
        self,
        log: WritableLog,
        releases: ReleaseWatcher,
        metrics: Metrics,
        exposures: ExposureLog,
        max_in_flight: int = 16,
    ) -> None:
        self._log, self._releases, self._metrics, self._exposures = log, releases, metrics, exposures
        self._bulkhead = Bulkhead("record", max_in_flight)

    async def record(
        self, interactions: Sequence[Interaction], without_time: Collection[str], deadline: Deadline
    ) -> Recorded:
        """Record all interactions or none; they are durable on return.

        So are the exposures of the answers that showed their items, if this process gave them.

        `without_time`: ids of interactions whose timestamp the service has set.

        Event types that the live release's feedback policy calls exposures are recorded as impressions.
        Interactions with items that the live release does not contain are recorded too: the items may be new.
        The result lists these items, because their ids may be wrong.

        Raises:
            AlreadyExists: an id is that of another interaction.
            Unavailable: the log did not store the interactions in time.
        """
        interactions = self._with_impressions(interactions)
        try:
            new = await self._bulkhead.run(
                deadline.remaining_s(), self._log.record, interactions, without_time
            )
        except TimeoutError as error:
            raise Unavailable(
                "the interaction log did not answer in time, so the interactions may be stored or not: "
                "retry with the same interaction ids"
            ) from error
        self._metrics.recorded.inc(new)
        shown_by = {interaction.request_id for interaction in interactions} - {""}
        await self._exposures.flush(shown_by, deadline.remaining_s())
        ids = [interaction.interaction_id for interaction in interactions]
        return Recorded(ids, new, self._unknown_items(interactions))

    def close(self) -> None:
        self._bulkhead.close()

    def _with_impressions(self, interactions: Sequence[Interaction]) -> Sequence[Interaction]:
        release = self._releases.current
        kinds = release.ranking.feedback.kinds if release else {}
        if not kinds:
            return interactions
        return [
            replace(interaction, event_type=IMPRESSION)
            if kinds.get(interaction.event_type) is Kind.EXPOSURE
            else interaction
            for interaction in interactions
        ]

    def _unknown_items(self, interactions: Sequence[Interaction]) -> list[str]:
        release = self._releases.current
        if release is None:
            return []
        item_ids = dict.fromkeys(i.item_id for i in interactions if not i.is_search)
        return [item_id for item_id in item_ids if item_id not in release.ranking.catalog.index]
