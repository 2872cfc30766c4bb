"""A circuit breaker for the model server: after repeated timeouts, calls fail at once for a while."""

from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Final

from feature_repo.attributes import Attributes
from feature_repo.histories import History
from feature_repo.interest_state import InterestBatch, InterestState
from serving.errors import CircuitOpen, Unavailable
from serving.interest.user_interest import InterestModelClient
from serving.release.arrays import FloatArray
from serving.telemetry.metrics import Metrics

# A call that fails after this share of its timeout counts as timed out; a refused connection fails earlier.
_TIMEOUT_SHARE: Final = 0.8


class CircuitBreaker:
    """Wraps an interest model. `timeouts` consecutive timeouts open the circuit: calls raise CircuitOpen.

    After `open_s` one trial call is allowed: a success closes the circuit, a timeout opens it again.
    Nygard 2018, "Release It!".
    """

    def __init__(
        self,
        model: InterestModelClient,
        metrics: Metrics,
        min_timeout_s: float,
        timeouts: int = 5,
        open_s: float = 1.0,
    ) -> None:
        """Ignores timeouts shorter than `min_timeout_s`: the deadline of the request was too close."""
        self._model, self._metrics = model, metrics
        self._min_timeout_s, self._timeouts, self._open_s = min_timeout_s, timeouts, open_s
        self._consecutive_timeouts, self._open_until = 0, 0.0

    async def interest(
        self, histories: Sequence[History], version: int | None, timeout_s: float, users: Sequence[Attributes]
    ) -> FloatArray:
        """Raises CircuitOpen while the circuit is open, else the errors of the model."""
        return await self._guarded(
            lambda: self._model.interest(histories, version, timeout_s, users), timeout_s
        )

    async def advance(
        self, interests: InterestBatch, histories: Sequence[History], version: int | None, timeout_s: float
    ) -> FloatArray:
        """Raises CircuitOpen while the circuit is open, else the errors of the model."""
        return await self._guarded(
            lambda: self._model.advance(interests, histories, version, timeout_s), timeout_s
        )

    async def forecast(
        self,
        history: History,
        user: Attributes,
        version: int | None,
        timeout_s: float,
        state: InterestState | None,
    ) -> FloatArray:
        """Raises CircuitOpen while the circuit is open, else the errors of the model."""
        return await self._guarded(
            lambda: self._model.forecast(history, user, version, timeout_s, state), timeout_s
        )

    async def close(self) -> None:
        await self._model.close()

    async def _guarded(self, call: Callable[[], Awaitable[FloatArray]], timeout_s: float) -> FloatArray:
        if self._consecutive_timeouts >= self._timeouts:
            self._allow_trial(timeout_s)
        start = monotonic()
        try:
            answer = await call()
        except Unavailable:
            if timeout_s >= self._min_timeout_s and monotonic() - start >= _TIMEOUT_SHARE * timeout_s:
                self._count_timeout()
            raise
        if self._consecutive_timeouts:
            self._consecutive_timeouts = 0
            self._metrics.circuit_open.set(0)
        return answer

    def _allow_trial(self, timeout_s: float) -> None:
        """Allow one call after `open_s`, with a timeout that counts; raise CircuitOpen for all others."""
        now = monotonic()
        if now < self._open_until or timeout_s < self._min_timeout_s:
            raise CircuitOpen(
                f"the model server is not called after {self._consecutive_timeouts} consecutive timeouts"
            )
        self._open_until = now + max(self._open_s, timeout_s)

    def _count_timeout(self) -> None:
        self._consecutive_timeouts += 1
        if self._consecutive_timeouts >= self._timeouts:
            self._open_until = monotonic() + self._open_s
            self._metrics.circuit_open.set(1)
