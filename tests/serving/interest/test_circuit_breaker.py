"""A model server that takes calls and never answers is left alone, named, and asked again after a moment."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from feature_repo.attributes import Attributes
from feature_repo.histories import History
from feature_repo.interest_state import InterestBatch
from serving.errors import CircuitOpen, Unavailable
from serving.interest.circuit_breaker import CircuitBreaker
from serving.telemetry.metrics import Metrics
from tests.patience import wait_until
from tests.serving.service import running

ANSWER = np.zeros((1, 3), np.float32)
STATE = InterestBatch(ANSWER, ANSWER, np.zeros(1, np.int64))


class HangingModel:
    """Takes all the time it is given while it hangs, as told by the clock that it moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.hangs, self.refuses, self.asked = 1000.0, True, False, 0
        monkeypatch.setattr("serving.interest.circuit_breaker.monotonic", lambda: self.now)

    async def interest(
        self, histories: Sequence[History], version: int | None, timeout_s: float, users: Sequence[Attributes]
    ) -> NDArray[np.float32]:
        self.asked += 1
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

    async def close(self) -> None:
        self.hangs = False


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> HangingModel:
    return HangingModel(monkeypatch)


def breaker(model: HangingModel) -> CircuitBreaker:
    return CircuitBreaker(model, Metrics(), least_s=0.05, timeouts=3, open_s=1.0)


def ask(circuit: CircuitBreaker, times: int, timeout_s: float = 0.1) -> list[type[Exception] | None]:
    """What each call raised."""
    raised: list[type[Exception] | None] = []
    for _ in range(times):
        try:
            asyncio.run(circuit.interest([History()], 1, timeout_s, [Attributes()]))
            raised.append(None)
        except Unavailable as error:
            raised.append(type(error))
    return raised


def test_after_some_waits_in_vain_it_is_asked_once_in_a_while_until_it_answers(model: HangingModel) -> None:
    circuit = breaker(model)
    assert ask(circuit, 6) == [Unavailable] * 3 + [CircuitOpen] * 3
    assert (model.asked, circuit._metrics.circuit_open._value.get()) == (3, 1)
    model.now += 1.1
    assert ask(circuit, 3) == [Unavailable, CircuitOpen, CircuitOpen]
    model.now, model.hangs = model.now + 1.1, False
    assert ask(circuit, 3) == [None, None, None]
    assert circuit._metrics.circuit_open._value.get() == 0
    model.refuses = True
    with pytest.raises(Unavailable, match="connection refused"):
        asyncio.run(circuit.advance(STATE, [History()], 1, 0.1))


def test_an_answer_in_between_starts_the_count_anew(model: HangingModel) -> None:
    circuit = breaker(model)
    for _ in range(4):
        model.hangs = True
        assert ask(circuit, 2) == [Unavailable] * 2
        model.hangs = False
        assert ask(circuit, 1) == [None]


def test_a_refusal_at_once_and_a_hasty_deadline_do_not_count(model: HangingModel) -> None:
    circuit = breaker(model)
    assert ask(circuit, 10, timeout_s=0.01) == [Unavailable] * 10
    model.refuses = True
    assert ask(circuit, 10) == [Unavailable] * 10
    model.refuses = model.hangs = False
    assert ask(circuit, 1) == [None]


def test_a_hasty_client_takes_nobodys_turn_to_ask(model: HangingModel) -> None:
    circuit = breaker(model)
    ask(circuit, 3)
    model.now, model.hangs = model.now + 1.1, False
    assert ask(circuit, 2, timeout_s=0.01) == [CircuitOpen] * 2
    assert ask(circuit, 1) == [None]


def test_requests_of_a_service_stop_waiting_and_say_why(tmp_path: Path) -> None:
    with running(tmp_path, interest_budget_ms=40) as service:
        answers = service.model.interest

        async def hang(*asked: Any) -> NDArray[np.float32]:
            await asyncio.sleep(asked[2])
            raise Unavailable("deadline exceeded")

        service.model.interest = hang  # type: ignore[method-assign]

        def degradation() -> tuple[str, str, str]:
            (cut,) = service.client.recommend("u", history=["comedy-1"]).degraded
            return cut.stage, cut.reason, cut.fallback

        assert degradation()[1] == "the model gave no answer in time"
        is_open = ("interest", "the model hangs and is left alone", "collaborative_filters")
        wait_until(lambda: degradation() == is_open)
        service.model.interest = answers  # type: ignore[method-assign]
        wait_until(lambda: not service.client.recommend("u", history=["comedy-1"]).degraded)
