"""What a request asks about beside its user's history: what was shown lately, what the followed users had."""

import asyncio
import hashlib
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, Protocol

from feature_repo.contract import IMPRESSION
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


@dataclass(frozen=True, eq=False)
class RequestContext:
    """Item ids at their frequency cap; item ids that followed users had, and how many of them."""

    shown: frozenset[str] = frozenset()
    followed: Mapping[str, int] = field(default_factory=dict)
    degraded: tuple[Degradation, ...] = ()


NOTHING: Final = RequestContext()


class ImpressionLog(Protocol):
    """serving.user_data.interaction_log.InteractionLog is one."""

    def shown(self, user_id: str, recorded_after: int, /) -> list[tuple[str, str]]: ...
    def record(self, interactions: Sequence[Interaction], /) -> int: ...


class RequestContextReader:
    """Reads for the requests that ask for it, and remembers what they were shown.

    Two requests for one user at the same moment may be shown the same: each reads before the other recorded.
    """

    def __init__(
        self, histories: HistoryReader, log: ImpressionLog, metrics: Metrics, threads: int = 16
    ) -> None:
        self._histories, self._log, self._metrics = histories, log, metrics
        self._bulkhead = Bulkhead("impressions", threads)

    async def read(self, request: Request, budget_s: float) -> RequestContext:
        """What the scenario asks for, within `budget_s`; what could not be read stands in `degraded`."""
        scenario = request.scenario
        follows = request.followed and (not scenario.sources or Source.FOLLOWED in scenario.sources)
        if not follows and not scenario.frequency_cap:
            return NOTHING
        with self._metrics.stage("scenario"):
            until = monotonic() + budget_s
            degraded: list[Degradation] = []
            shown = await self._shown(request, budget_s, degraded) if scenario.frequency_cap else frozenset()
            followed = await self._followed(request, until, degraded) if follows else {}
            return RequestContext(shown, followed, tuple(degraded))

    async def record_impressions(
        self, request: Request, shown: Sequence[Recommendation], budget_s: float
    ) -> Degradation | None:
        """Record what is answered as impressions; the same request's again changes nothing."""
        if not request.scenario.record_impressions or not shown:
            return None
        if not request.user_id:
            return Degradation(Stage.IMPRESSIONS, "the visitor has no user id", Fallback.NOT_RECORDED)
        now, prefix = time.time_ns() // 1000, _prefix(request)
        impressions = [
            Interaction(f"{prefix}{_digest(item.item_id)}", request.user_id, item.item_id, IMPRESSION, now)
            for item in shown
        ]
        with self._metrics.stage("scenario"):
            try:
                new = await self._bulkhead.run(budget_s, self._log.record, impressions)
            except (Unavailable, TimeoutError) as error:
                logger.warning("impressions are not recorded: %r", error)
                return Degradation(
                    Stage.IMPRESSIONS, "the interaction log did not take them", Fallback.NOT_RECORDED
                )
        self._metrics.impressions.inc(new)
        return None

    def close(self) -> None:
        self._bulkhead.close()

    async def _shown(self, request: Request, budget_s: float, degraded: list[Degradation]) -> frozenset[str]:
        """Items at their cap; what this same request showed before, if it is a retry, doesn't count."""
        cap, prefix = request.scenario.frequency_cap, _prefix(request)
        assert cap
        if not request.user_id:
            degraded.append(
                Degradation(Stage.FREQUENCY_CAP, "the visitor has no user id", Fallback.NO_FREQUENCY_CAP)
            )
            return frozenset()
        since = time.time_ns() // 1000 - round(cap.days * _DAY_US)
        try:
            rows = await self._bulkhead.run(budget_s, self._log.shown, request.user_id, since)
        except (Unavailable, TimeoutError) as error:
            logger.warning("impressions can't be counted: %r", error)
            degraded.append(
                Degradation(
                    Stage.FREQUENCY_CAP, "the interaction log did not answer", Fallback.NO_FREQUENCY_CAP
                )
            )
            return frozenset()
        counts = Counter(item for item, impression in rows if not impression.startswith(prefix))
        return frozenset(item for item, count in counts.items() if count >= cap.impressions)

    async def _followed(
        self, request: Request, until: float, degraded: list[Degradation]
    ) -> Mapping[str, int]:
        had: Counter[str] = Counter()
        asked = request.followed[: request.scenario.max_followed]
        whole = 0
        for user_id in asked:
            if (left := until - monotonic()) <= 0:
                break
            user = await self._histories.read(user_id, left)
            await asyncio.sleep(0)  # there may be many: other calls come in between
            whole += not user.degraded
            had.update(set(user.history.item_ids))
        if whole < len(asked):
            reason = f"{len(asked) - whole} of {len(asked)} histories could not be read in time"
            degraded.append(Degradation(Stage.FOLLOWED_USERS, reason, Fallback.PARTIAL_HISTORIES))
        return had


def _no_cap(reason: str) -> Degradation:
    return Degradation(Stage.FREQUENCY_CAP, reason, Fallback.NO_FREQUENCY_CAP)


def _prefix(request: Request) -> str:
    return f"impression-{_digest(request.user_id, request.request_id)}-"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]
