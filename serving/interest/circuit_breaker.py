"""Leaves a model server alone that hangs, so that requests don't all wait in vain."""

from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Final

from feature_repo.attributes import Attributes
from feature_repo.histories import History
from feature_repo.interest_state import InterestBatch
from serving.errors import CircuitOpen, Unavailable
from serving.interest.user_interest import InterestModelClient
from serving.release.arrays import FloatArray
from serving.telemetry.metrics import Metrics

# A call that failed after this share of its time was waited for in vain; a refused connection fails at once.
_TIMEOUT_SHARE: Final = 0.8


class CircuitBreaker:
    """An interest model that raises at once for `open_s` after `timeouts` waits in vain, one after the other.

    After the rest one call goes through and decides: an answer closes the circuit, another wait in vain
    opens it again. Nygard 2018, "Release It!".
    """

    def __init__(
        self,
        model: InterestModelClient,
        metrics: Metrics,
        least_s: float,
        timeouts: int = 5,
        open_s: float = 1.0,
    ) -> None:
        """`least_s`: shorter waits say nothing, a client with a hasty deadline must not cut others off."""
        self._model, self._metrics = model, metrics
        self._least_s, self._timeouts, self._open_s = least_s, timeouts, open_s
        self._consecutive_timeouts, self._open_until = 0, 0.0

    async def interest(
        self, histories: Sequence[History], version: int | None, timeout_s: float, users: Sequence[Attributes]
    ) -> FloatArray:
        """Raises CircuitOpen while it rests, else what the model raises."""
        return await self._guarded(
            lambda: self._model.interest(histories, version, timeout_s, users), timeout_s
        )

    async def advance(
        self, interests: InterestBatch, histories: Sequence[History], version: int | None, timeout_s: float
    ) -> FloatArray:
        """Raises CircuitOpen while it rests, else what the model raises."""
        return await self._guarded(
            lambda: self._model.advance(interests, histories, version, timeout_s), timeout_s
        )

    async def close(self) -> None:
        await self._model.close()

    async def _guarded(self, call: Callable[[], Awaitable[FloatArray]], timeout_s: float) -> FloatArray:
        if self._consecutive_timeouts >= self._timeouts:
            self._take_turn(timeout_s)
        start = monotonic()
        try:
            answer = await call()
        except Unavailable:
            if timeout_s >= self._least_s and monotonic() - start >= _TIMEOUT_SHARE * timeout_s:
                self._count()
            raise
        if self._consecutive_timeouts:
            self._consecutive_timeouts = 0
            self._metrics.circuit_open.set(0)
        return answer

    def _take_turn(self, timeout_s: float) -> None:
        """Only the first after a rest, and with time enough to decide, asks."""
        now = monotonic()
        if now < self._open_until or timeout_s < self._least_s:
            raise CircuitOpen(
                f"the model server is left alone after {self._consecutive_timeouts} waits in vain"
            )
        self._open_until = now + max(self._open_s, timeout_s)

    def _count(self) -> None:
        self._consecutive_timeouts += 1
        if self._consecutive_timeouts >= self._timeouts:
            self._open_until = monotonic() + self._open_s
            self._metrics.circuit_open.set(1)
