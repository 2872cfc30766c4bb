"""Data of a request besides the user's history: impressions, and the interactions of followed users."""

import asyncio
import hashlib
import logging
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from time import monotonic
from typing import Final, Protocol

from feature_repo.event_types import IMPRESSION
from feature_repo.feedback import FeedbackPolicy
from feature_repo.histories import History
from feature_repo.interaction import Interaction
from serving.answers import Degradation, Fallback, Recommendation, Source, Stage
from serving.errors import Unavailable
from serving.ranking.request import Request
from serving.telemetry.logs import OncePerSecond
from serving.telemetry.metrics import Metrics
from serving.user_data.bulkhead import Bulkhead
from serving.user_data.history_reader import HistoryReader

logger = logging.getLogger(__name__)
logger.addFilter(OncePerSecond())

_DAY_US: Final = 86_400_000_000
_NO_USER_ID: Final = "the request has no user id"
_LOG_UNAVAILABLE: Final = "the interaction log is unavailable"


@dataclass(frozen=True, eq=False)
class RequestContext:
    """The data of a request besides the user's history; empty if its scenario needs none."""

    capped: frozenset[str] = frozenset()  # item ids that reached their frequency cap
    followed: Mapping[str, int] = field(
        default_factory=dict
    )  # item id -> followed users with it in a history
    degraded: tuple[Degradation, ...] = ()


EMPTY_CONTEXT: Final = RequestContext()


class ImpressionLog(Protocol):
    """Implemented by serving.user_data.interaction_log.InteractionLog."""

    def impressions(
        self, user_id: str, recorded_after: int, without_prefix: str, /
    ) -> list[tuple[str, int]]: ...
    def record(self, interactions: Sequence[Interaction], without_time: Collection[str], /) -> int: ...


class RequestContextReader:
    """Reads the context of a request, and records the impressions of its answer.

    Two concurrent requests of a user may get the same items: both read before either has recorded.
    """

    def __init__(
        self, histories: HistoryReader, log: ImpressionLog, metrics: Metrics, max_in_flight: int = 16
    ) -> None:
        self._histories, self._log, self._metrics = histories, log, metrics
        # Reads and writes have threads of their own: writes may wait for a lock.
        self._reads, self._writes = (
            Bulkhead("impressions", max_in_flight),
            Bulkhead("record-impressions", max_in_flight),
        )

    async def read(self, request: Request, feedback: FeedbackPolicy, budget_s: float) -> RequestContext:
        """Return the context that the scenario needs; `degraded` lists what it lacks after `budget_s`."""
        scenario = request.scenario
        follows = request.followed and (not scenario.sources or Source.FOLLOWED in scenario.sources)
        if not follows and not scenario.frequency_cap:
            return EMPTY_CONTEXT
        with self._metrics.stage("scenario"):
            deadline = monotonic() + budget_s
            degraded: list[Degradation] = []
            capped = (
                await self._capped(request, budget_s, degraded) if scenario.frequency_cap else frozenset()
            )
            followed = await self._followed(request, feedback, deadline, degraded) if follows else {}
            return RequestContext(capped, followed, tuple(degraded))

    async def record_impressions(
        self, request: Request, recommendations: Sequence[Recommendation], budget_s: float
    ) -> Degradation | None:
        """Record the answered items as impressions, if the scenario records them.

        A retry of the request adds no impressions. Returns the degradation if they could not be recorded.
        """
        if not request.scenario.record_impressions or not recommendations:
            return None
        if not request.user_id:
            return Degradation(Stage.IMPRESSIONS, _NO_USER_ID, Fallback.NOT_RECORDED)
        now, prefix = time.time_ns() // 1000, _id_prefix(request)
        impressions = [
            Interaction(f"{prefix}{_digest(item.item_id)}", request.user_id, item.item_id, IMPRESSION, now)
            for item in recommendations
        ]
        with self._metrics.stage("scenario"):
            try:
                ids = {impression.interaction_id for impression in impressions}
                new = await self._writes.run(budget_s, self._log.record, impressions, ids)
            except (Unavailable, TimeoutError) as error:
                logger.warning("impressions are not recorded: %r", error)
                return Degradation(Stage.IMPRESSIONS, _LOG_UNAVAILABLE, Fallback.NOT_RECORDED)
        self._metrics.impressions.inc(new)
        return None

    def close(self) -> None:
        self._reads.close()
        self._writes.close()

    async def _capped(self, request: Request, budget_s: float, degraded: list[Degradation]) -> frozenset[str]:
        """Return the items at their frequency cap; impressions of an earlier attempt do not count."""
        cap = request.scenario.frequency_cap
        assert cap
        if not request.user_id:
            degraded.append(Degradation(Stage.FREQUENCY_CAP, _NO_USER_ID, Fallback.NO_FREQUENCY_CAP))
            return frozenset()
        since = time.time_ns() // 1000 - round(cap.days * _DAY_US)
        try:
            shown = await self._reads.run(
                budget_s, self._log.impressions, request.user_id, since, _id_prefix(request)
            )
        except (Unavailable, TimeoutError) as error:
            logger.warning("impressions can't be counted: %r", error)
            degraded.append(Degradation(Stage.FREQUENCY_CAP, _LOG_UNAVAILABLE, Fallback.NO_FREQUENCY_CAP))
            return frozenset()
        return frozenset(item for item, count in shown if count >= cap.impressions)

    async def _followed(
        self, request: Request, feedback: FeedbackPolicy, deadline: float, degraded: list[Degradation]
    ) -> Mapping[str, int]:
        """Count for each item the followed users who have a positive interaction with it."""
        users: Counter[str] = Counter()
        followed = request.followed[: request.scenario.max_followed]
        complete = 0
        for user_id in followed:
            if (remaining_s := deadline - monotonic()) <= 0:
                break
            user = await self._histories.read(user_id, remaining_s)
            await asyncio.sleep(0)  # let other calls run between many reads
            complete += all(each.fallback is Fallback.NEWEST_INTERACTIONS for each in user.degraded)
            users.update(_positive_items(user.history, feedback))
        if complete < len(followed):
            reason = f"{len(followed) - complete} of {len(followed)} histories could not be read in time"
            degraded.append(Degradation(Stage.FOLLOWED_USERS, reason, Fallback.PARTIAL_HISTORIES))
        return users


def _positive_items(history: History, feedback: FeedbackPolicy) -> set[str]:
    preferences = feedback.preferences(
        history.item_ids, history.event_types, history.values, history.timestamps
    )
    return set(compress(history.item_ids, (preferences > 0).tolist()))


def _id_prefix(request: Request) -> str:
    """Return the prefix of the interaction ids of the impressions of a request."""
    return f"impression-{_digest(request.user_id, request.request_id)}-"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]
