"""A circuit breaker for each model version: after repeated timeouts, its calls fail at once for a while."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
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

# The metric leaves out the open circuit of a version that nobody calls any more, such as a former candidate.
_NOT_CALLED_S: Final = 300.0


@dataclass(eq=False, slots=True)
class _Circuit:
    """The circuit of a version."""

    consecutive_timeouts: int = 0
    open_until: float = 0.0


class CircuitBreaker:
    """Wraps an interest model. `timeouts` consecutive timeouts open the circuit: calls raise CircuitOpen.

    Each version has a circuit of its own: a slow candidate of an experiment costs the live release nothing.
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
        self._model = model
        self._min_timeout_s, self._timeouts, self._open_s = min_timeout_s, timeouts, open_s
        self._circuits = defaultdict[int | None, _Circuit](_Circuit)
        metrics.circuit_open.set_function(self._any_open)

    async def interest(
        self, histories: Sequence[History], version: int | None, timeout_s: float, users: Sequence[Attributes]
    ) -> FloatArray:
        """Raises CircuitOpen while the circuit is open, else the errors of the model."""
        return await self._guarded(
            lambda: self._model.interest(histories, version, timeout_s, users), version, timeout_s
        )

    async def advance(
        self, interests: InterestBatch, histories: Sequence[History], version: int | None, timeout_s: float
    ) -> FloatArray:
        """Raises CircuitOpen while the circuit is open, else the errors of the model."""
        return await self._guarded(
            lambda: self._model.advance(interests, histories, version, timeout_s), version, timeout_s
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
            lambda: self._model.forecast(history, user, version, timeout_s, state), version, timeout_s
        )

    async def close(self) -> None:
        await self._model.close()

    async def _guarded(
        self, call: Callable[[], Awaitable[FloatArray]], version: int | None, timeout_s: float
    ) -> FloatArray:
        circuit = self._circuits[version]
        if circuit.consecutive_timeouts >= self._timeouts:
            self._allow_trial(circuit, version, timeout_s)
        start = monotonic()
        try:
            answer = await call()
        except Unavailable:
            if timeout_s >= self._min_timeout_s and monotonic() - start >= _TIMEOUT_SHARE * timeout_s:
                self._count_timeout(circuit)
            raise
        if circuit.consecutive_timeouts:
            circuit.consecutive_timeouts = 0
        return answer

    def _allow_trial(self, circuit: _Circuit, version: int | None, timeout_s: float) -> None:
        """Allow one call after `open_s`, with a timeout that counts; raise CircuitOpen for all others."""
        now = monotonic()
        if now < circuit.open_until or timeout_s < self._min_timeout_s:
            raise CircuitOpen(
                f"version {version} of the model is not called after {circuit.consecutive_timeouts} "
                "consecutive timeouts"
            )
        circuit.open_until = now + max(self._open_s, timeout_s)

    def _count_timeout(self, circuit: _Circuit) -> None:
        circuit.consecutive_timeouts += 1
        if circuit.consecutive_timeouts >= self._timeouts:
            circuit.open_until = monotonic() + self._open_s

    def _any_open(self) -> bool:
        called_since = monotonic() - _NOT_CALLED_S
        return any(
            each.consecutive_timeouts >= self._timeouts and each.open_until > called_since
            for each in self._circuits.values()
        )
