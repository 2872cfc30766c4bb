"""The limits on calls: rate, queue, and gRPC's pending calls."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pytest

from serving.answers import Answer
from serving.errors import TooManyRequests
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.ranked_items import RankedItems
from tests.patience import HANG_S, wait_until
from tests.serving.service import FakeFeatures, running


def test_requests_above_the_rate_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.api.token_buckets.monotonic", lambda: 1000.0)  # a stopped clock
    with running(tmp_path, live=None, requests_per_second=3) as service:
        for _ in range(3):
            service.client.record("u", "comedy-1")
        with pytest.raises(TooManyRequests, match="3 requests per second"):
            service.client.record("u", "comedy-1")


def test_a_full_queue_refuses_further_calls_and_answers_those_accepted(
    tmp_path: Path, gate: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: dict[str, Any] = {"max_in_flight": 1, "max_concurrent_requests": 3}
    with running(tmp_path, **limits) as service, ThreadPoolExecutor(5) as clients:
        monkeypatch.setattr(FakeFeatures, "user", lambda *_: gate.wait(HANG_S) and None)
        calls = [clients.submit(service.client.recommend, "u") for _ in range(5)]
        wait_until(lambda: sum(call.done() for call in calls) >= 2)
        gate.set()
        for call in calls:
            if (error := call.exception()) is None:
                assert call.result().degraded == []
            else:
                assert isinstance(error, TooManyRequests)
        assert service.client.recommend("u").degraded == []


def test_recordings_that_wait_for_a_lock_leave_answers_their_slots(tmp_path: Path) -> None:
    with running(tmp_path, max_in_flight=1, max_concurrent_requests=3) as service:
        with ThreadPoolExecutor(3) as clients:
            service.log.record_gate.clear()
            recordings = [clients.submit(service.client.record, "u", "comedy-1") for _ in range(3)]
            wait_until(lambda: service.log.recordings_wait)
            assert service.client.recommend("u").degraded == []
            service.log.record_gate.set()
        assert len({recording.result() for recording in recordings}) == 3


def test_an_answer_does_not_wait_for_its_impressions_to_be_recorded(tmp_path: Path) -> None:
    with running(tmp_path, history_budget_ms=50) as service:
        service.client.recommend("u", scenario="email")
        service.log.record_gate.clear()
        answer = service.client.recommend("u", scenario="email")
        assert answer.recommendations
        assert "not_recorded" in {each.fallback for each in answer.degraded}


def test_a_flood_is_refused_while_the_event_loop_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rank, flood = LoadedRelease.rank, 40
    all_ready = Barrier(flood)

    def recommend() -> Answer:
        all_ready.wait(HANG_S)
        return service.client.recommend("u", k=3)

    def slow(*arguments: Any) -> RankedItems:
        time.sleep(0.1)  # blocks the event loop
        return rank(*arguments)

    with running(tmp_path, max_concurrent_requests=4) as service, ThreadPoolExecutor(flood) as clients:
        service.client.record("u", "comedy-1")
        monkeypatch.setattr(LoadedRelease, "rank", slow)
        calls = [clients.submit(recommend) for _ in range(flood)]
        refused = [error for call in calls if (error := call.exception())]
        assert {type(error) for error in refused} == {TooManyRequests}
        assert 0 < len(refused) < flood
        answers = [call.result() for call in calls if not call.exception()]
        assert all(len(answer.recommendations) == 3 for answer in answers)
        monkeypatch.undo()
        assert service.client.recommend("u", k=3).degraded == []
