"""Lets a candidate answer too, unseen: after the user's answer, one at a time, while no call waits."""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from typing import Final

from serving.deadline import Deadline
from serving.experiments.arm_answers import Compose, Composed
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.request import Request
from serving.telemetry.logs import OncePerSecond
from serving.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)
logger.addFilter(OncePerSecond())

# Requests that wait for the shadow; a further one is dropped.
MAX_WAITING: Final = 64

# Delay before each answer, so that calls are handled first.
_DELAY_S: Final = 0.002

# If the event loop wakes up later than this after the delay, calls are waiting: the answer waits, too.
_MAX_LAG_S: Final = 0.005

_DEADLINE_S: Final = 1.0


@dataclass(frozen=True, eq=False, slots=True)
class _Waiting:
    release: LoadedRelease
    request: Request
    shown: Composed
    label: tuple[str, str]  # experiment and arm, for the metrics


class Shadow:
    """Computes answers that nobody gets, compares them with those that were shown, and counts the result."""

    def __init__(self, compose: Compose, metrics: Metrics) -> None:
        self._compose, self._metrics = compose, metrics
        self._waiting, self._not_empty = deque[_Waiting](), asyncio.Event()

    def offer(
        self, release: LoadedRelease, request: Request, shown: Composed, label: tuple[str, str]
    ) -> None:
        """Let `release` answer a request soon, or drop it if too many wait; never blocks."""
        if len(self._waiting) >= MAX_WAITING:
            self._metrics.shadows["dropped"].inc()
            return
        self._waiting.append(_Waiting(release, request, shown, label))
        self._not_empty.set()

    async def run(self) -> None:
        """Answer what waits, until cancelled."""
        loop = asyncio.get_running_loop()
        while await self._not_empty.wait():
            wake_up = loop.time() + _DELAY_S
            await asyncio.sleep(_DELAY_S)
            if _is_late(loop.time() - wake_up):
                continue
            waiting = self._waiting.popleft()
            if not self._waiting:
                self._not_empty.clear()
            try:
                await self._answer(waiting)
            except Exception:  # any error of a candidate is counted, and concerns nobody
                logger.exception("the shadow of experiment %s failed", waiting.label[0])
                self._metrics.shadows["failed"].inc()

    async def _answer(self, waiting: _Waiting) -> None:
        shown, shown_origin = waiting.shown
        answer, origin = await self._compose(
            waiting.release, waiting.request, Deadline.after(_DEADLINE_S), shown_origin.user
        )
        self._metrics.shadows["computed"].inc()
        self._metrics.count_arm_answer(*waiting.label, False, origin.latency_us / 1e6)
        items = {item.item_id for item in shown.recommendations}
        if items:
            common = items.intersection(item.item_id for item in answer.recommendations)
            self._metrics.shadow_common_items.observe(len(common) / len(items))


def _is_late(lag_s: float) -> bool:
    return lag_s > _MAX_LAG_S
