"""The circuit breaker: opens after timeouts, allows a trial call, and closes after an answer."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from feature_repo.attributes import Attributes
from feature_repo.histories import History
from feature_repo.interest_state import InterestBatch, InterestState
from serving.errors import CircuitOpen, Unavailable
from serving.interest.circuit_breaker import CircuitBreaker
from serving.telemetry.metrics import Metrics
from tests.patience import wait_until
from tests.serving.service import running

ANSWER = np.zeros((1, 3), np.float32)
STATE = InterestBatch(ANSWER, ANSWER, np.zeros(1, np.int64))


class HangingModel:
    """Times out while it hangs; moves the clock by the timeout."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.hangs, self.refuses, self.calls = 1000.0, True, False, 0
        monkeypatch.setattr("serving.interest.circuit_breaker.monotonic", lambda: self.now)

    async def interest(
        self, histories: Sequence[History], version: int | None, timeout_s: float, users: Sequence[Attributes]
    ) -> NDArray[np.float32]:
        self.calls += 1
        if self.refuses:
            raise Unavailable("connection refused")
        if self.hangs:
            self.now += timeout_s
            raise Unavailable("deadline exceeded")
        return ANSWER

    async def advance(
        self, interests: InterestBatch, histories: Sequence[History], version: int | None, timeout_s: float
    ) -> NDArray[np.float32]:
        return await self.interest(histories, version, timeout_s, [])

    async def forecast(
        self,
        history: History,
        user: Attributes,
        version: int | None,
        timeout_s: float,
        state: InterestState | None,
    ) -> NDArray[np.float32]:
        return await self.interest([history], version, timeout_s, [user])

    async def close(self) -> None:
        self.hangs = False


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> HangingModel:
    return HangingModel(monkeypatch)


def breaker(model: HangingModel, metrics: Metrics | None = None) -> CircuitBreaker:
    return CircuitBreaker(model, metrics or Metrics(), min_timeout_s=0.05, timeouts=3, open_s=1.0)


def call(
    circuit: CircuitBreaker, times: int, timeout_s: float = 0.1, version: int = 1
) -> list[type[Exception] | None]:
    """Return what each call raised."""
    raised: list[type[Exception] | None] = []
    for _ in range(times):
        try:
            asyncio.run(circuit.interest([History()], version, timeout_s, [Attributes()]))
            raised.append(None)
        except Unavailable as error:
            raised.append(type(error))
    return raised


def is_open(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("penchant_model_server_circuit_open")


def test_the_circuit_opens_after_timeouts_and_closes_after_a_successful_trial(model: HangingModel) -> None:
    metrics = Metrics()
    circuit = breaker(model, metrics)
    assert call(circuit, 6) == [Unavailable] * 3 + [CircuitOpen] * 3
    assert (model.calls, is_open(metrics)) == (3, 1)
    model.now += 1.1
    assert call(circuit, 3) == [Unavailable, CircuitOpen, CircuitOpen]
    model.now, model.hangs = model.now + 1.1, False
    assert call(circuit, 3) == [None, None, None]
    assert is_open(metrics) == 0
    model.refuses = True
    with pytest.raises(Unavailable, match="connection refused"):
        asyncio.run(circuit.advance(STATE, [History()], 1, 0.1))


def test_a_version_that_hangs_does_not_keep_another_one_from_being_called(model: HangingModel) -> None:
    metrics = Metrics()
    circuit = breaker(model, metrics)
    assert call(circuit, 4, version=8) == [Unavailable] * 3 + [CircuitOpen]
    model.hangs = False
    assert call(circuit, 2, version=7) == [None, None]
    assert call(circuit, 1, version=8) == [CircuitOpen]
    assert is_open(metrics) == 1
    model.now += 3600  # nobody calls version 8 any more
    assert is_open(metrics) == 0


def test_a_success_resets_the_count_of_timeouts(model: HangingModel) -> None:
    circuit = breaker(model)
    for _ in range(4):
        model.hangs = True
        assert call(circuit, 2) == [Unavailable] * 2
        model.hangs = False
        assert call(circuit, 1) == [None]


def test_refused_connections_and_short_deadlines_do_not_count(model: HangingModel) -> None:
    circuit = breaker(model)
    assert call(circuit, 10, timeout_s=0.01) == [Unavailable] * 10
    model.refuses = True
    assert call(circuit, 10) == [Unavailable] * 10
    model.refuses = model.hangs = False
    assert call(circuit, 1) == [None]


def test_a_call_with_a_short_deadline_is_no_trial(model: HangingModel) -> None:
    circuit = breaker(model)
    call(circuit, 3)
    model.now, model.hangs = model.now + 1.1, False
    assert call(circuit, 2, timeout_s=0.01) == [CircuitOpen] * 2
    assert call(circuit, 1) == [None]


def test_answers_say_that_the_circuit_is_open(tmp_path: Path) -> None:
    with running(tmp_path, interest_budget_ms=40) as service:
        interest = service.model.interest

        async def hang(*arguments: Any) -> NDArray[np.float32]:
            await asyncio.sleep(arguments[2])
            raise Unavailable("deadline exceeded")

        service.model.interest = hang  # type: ignore[assignment, method-assign]

        def degradation() -> tuple[str, str, str]:
            (degraded,) = service.client.recommend("u", history=["comedy-1"]).degraded
            return degraded.stage, degraded.reason, degraded.fallback

        assert degradation()[1] == "the model gave no answer in time"
        circuit_open = ("interest", "the model does not respond", "collaborative_filters")
        wait_until(lambda: degradation() == circuit_open)
        service.model.interest = interest  # type: ignore[method-assign]
        wait_until(lambda: not service.client.recommend("u", history=["comedy-1"]).degraded)
