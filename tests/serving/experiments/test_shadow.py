"""A shadow answers unseen, is compared with what was shown, and gives way when there is no time for it."""

import asyncio
import socket
from collections.abc import Callable
from itertools import chain, repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from serving.answers import Answer, Basis, Recommendation
from serving.experiments import shadow as shadow_module
from serving.experiments.shadow import MAX_WAITING, Shadow
from serving.telemetry.metrics import Metrics
from tests.patience import HANG_S, wait_until
from tests.serving.experiments.experiments import experiment, write
from tests.serving.service import running
from tests.serving.test_server import scraped


def composed(*item_ids: str) -> Any:
    items = [Recommendation(each, each, [], 1.0, [], "") for each in item_ids]
    return Answer(items, 1, "r", Basis.HISTORY), SimpleNamespace(user=None, latency_us=2_000)


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, labels) or 0.0


async def shadowed(
    compose: Callable[..., Any], offers: int, monkeypatch: pytest.MonkeyPatch, busy: int = 0
) -> Metrics:
    """Return the metrics after a shadow has handled answers that showed the items a and b.

    Before it does, calls wait `busy` times that it wakes up.
    """
    lags = chain([-1.0] * busy, repeat(HANG_S))
    monkeypatch.setattr(shadow_module, "_is_late", lambda lag_s: lag_s > next(lags))
    metrics = Metrics()
    shadow = Shadow(compose, metrics)
    task = asyncio.create_task(shadow.run())
    release: Any = None
    request: Any = None
    for _ in range(offers):
        shadow.offer(release, request, composed("a", "b"), ("e", "candidate"))

    def handled() -> float:
        outcomes = ("computed", "failed", "dropped")
        return sum(value(metrics, "penchant_shadow_answers_total", outcome=each) for each in outcomes)

    while handled() < offers:
        await asyncio.sleep(0.001)
    task.cancel()
    return metrics


def test_its_answers_are_compared_with_what_was_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    async def compose(*_: object) -> Any:
        return composed("b", "c")

    metrics = asyncio.run(shadowed(compose, 3, monkeypatch))
    assert value(metrics, "penchant_shadow_answers_total", outcome="computed") == 3
    assert value(metrics, "penchant_shadow_common_items_ratio_sum") == 1.5
    labels = {"experiment": "e", "arm": "candidate"}
    assert value(metrics, "penchant_experiment_answer_duration_seconds_sum", **labels) == pytest.approx(0.006)


def test_a_failure_is_counted_and_the_next_one_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    async def compose(*_: object) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise ZeroDivisionError
        return composed("a")

    metrics = asyncio.run(shadowed(compose, 2, monkeypatch))
    for outcome in ("failed", "computed"):
        assert value(metrics, "penchant_shadow_answers_total", outcome=outcome) == 1


def test_what_it_cannot_keep_up_with_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def compose(*_: object) -> Any:
        return composed("a")

    metrics = asyncio.run(shadowed(compose, MAX_WAITING + 7, monkeypatch))
    assert value(metrics, "penchant_shadow_answers_total", outcome="dropped") == 7


def test_it_waits_while_calls_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    async def compose(*_: object) -> Any:
        return composed("a")

    busy = asyncio.run(shadowed(compose, 2, monkeypatch, busy=3))
    assert value(busy, "penchant_shadow_answers_total", outcome="computed") == 2
    assert value(busy, "penchant_shadow_answers_total", outcome="dropped") == 0


def test_users_see_the_live_release_while_a_shadow_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setattr(shadow_module, "_is_late", lambda lag_s: False)
    with running(tmp_path, versions=(1, 2), metrics_port=port) as service:
        write(tmp_path, experiment("shadow"))
        wait_until(lambda: scraped(port)["penchant_experiment_running"] == 1)
        answers = [service.client.recommend("u", k=3) for _ in range(3)]
        name = 'penchant_shadow_answers_total{outcome="computed"}'
        wait_until(lambda: scraped(port)[name] == 3)
        page = scraped(port)
    assert {answer.release_version for answer in answers} == {1}
    assert page["penchant_shadow_common_items_ratio_sum"] == 3.0  # the planted releases rank alike
    duration = "penchant_experiment_answer_duration_seconds_count"
    assert page[f'{duration}{{arm="candidate",experiment="e"}}'] == 3
    assert page[f'{duration}{{arm="live",experiment="e"}}'] == 3
