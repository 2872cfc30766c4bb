"""Data of a request besides the user's history: earlier exposures, and the interactions of followed users."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import compress
from time import monotonic
from typing import Final, Protocol

from feature_repo.feedback import FeedbackPolicy
from feature_repo.histories import History
from serving.answers import Degradation, Fallback, Source, Stage
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


def clock_us() -> int:
    """Return the time in µs since the epoch."""
    return time.time_ns() // 1000


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
    """Impressions that clients recorded; implemented by serving.user_data.interaction_log.InteractionLog."""

    def impressions(self, user_id: str, recorded_after: int, /) -> list[tuple[str, int]]: ...


class ShownItems(Protocol):
    """Implemented by serving.exposures.exposure_store.ExposureStore."""

    def shown(self, user_id: str, after: int, without_request: str, /) -> Counter[str]: ...


class RequestContextReader:
    """Reads the context of a request.

    Two concurrent requests of a user may get the same items: both read before either has recorded.
    """

    def __init__(
        self,
        histories: HistoryReader,
        log: ImpressionLog,
        exposures: ShownItems,
        metrics: Metrics,
        max_in_flight: int = 16,
        clock: Callable[[], int] = clock_us,
    ) -> None:
        """`clock` returns µs since the epoch."""
        self._histories, self._log, self._exposures, self._metrics = histories, log, exposures, metrics
        self._reads, self._clock = Bulkhead("impressions", max_in_flight), clock

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

    def close(self) -> None:
        self._reads.close()

    async def _capped(self, request: Request, budget_s: float, degraded: list[Degradation]) -> frozenset[str]:
        """Return the items at their frequency cap; what an earlier attempt showed does not count."""
        cap = request.scenario.frequency_cap
        assert cap
        if not request.user_id:
            degraded.append(Degradation(Stage.FREQUENCY_CAP, _NO_USER_ID, Fallback.NO_FREQUENCY_CAP))
            return frozenset()
        since = self._clock() - round(cap.days * _DAY_US)
        try:
            shown = await self._reads.run(budget_s, self._shown, request.user_id, since, request.request_id)
        except (Unavailable, TimeoutError) as error:
            logger.warning("impressions can't be counted: %r", error)
            degraded.append(Degradation(Stage.FREQUENCY_CAP, _LOG_UNAVAILABLE, Fallback.NO_FREQUENCY_CAP))
            return frozenset()
        return frozenset(item for item, count in shown.items() if count >= cap.impressions)

    def _shown(self, user_id: str, since: int, request_id: str) -> Counter[str]:
        """Count how often each item was shown since `since` (µs), by answers and as clients recorded."""
        shown = self._exposures.shown(user_id, since, request_id)
        shown.update(dict(self._log.impressions(user_id, since)))
        return shown

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
