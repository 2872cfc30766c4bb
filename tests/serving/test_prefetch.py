"""A user's next answer is prefetched after a recording, while no call waits."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, ClassVar
from unittest.mock import MagicMock

import pytest

from feature_repo.histories import History
from serving import prefetch
from serving.answers import Degradation, Fallback, Stage
from serving.prefetch import Prefetcher
from serving.recommender import RecommendationEngine
from serving.telemetry.metrics import Metrics
from serving.user_history import UserHistory
from tests.serving.stepped_event_loop import SteppedEventLoop, run_stepped


class FakePrefetch:
    """Records the users it is called with; fails for the user "broken"."""

    def __init__(self) -> None:
        self.users: list[str] = []

    async def __call__(self, user_id: str) -> None:
        await asyncio.sleep(0)
        self.users.append(user_id)
        if user_id == "broken":
            raise RuntimeError("no such thing")


def prefetched(*recorded: Sequence[str], busy_s: float = 0.0) -> tuple[list[str], float | None, float | None]:
    """Return the prefetched users in order, and the counts of completed and skipped prefetches.

    Args:
        recorded: the users of each recording.
        busy_s: how long the event loop is blocked after the recordings.
    """
    work, metrics = FakePrefetch(), Metrics()

    async def serve(loop: SteppedEventLoop) -> None:
        prefetcher = Prefetcher(work, metrics)
        running = asyncio.create_task(prefetcher.run())
        for user_ids in recorded:
            prefetcher.enqueue(user_ids)
        await loop.pass_time(0)
        await loop.pass_time(busy_s)
        await loop.pass_time(0.1, steps=400)
        running.cancel()

    run_stepped(serve)
    read = metrics.registry.get_sample_value
    completed, skipped = (
        read("penchant_prefetches_total", {"outcome": name}) for name in ("completed", "skipped")
    )
    return work.users, completed, skipped


def test_prefetcher_takes_each_user_once_in_the_order_of_the_last_recording() -> None:
    assert prefetched(["a", "a"], ["b"], ["c"], ["a"]) == (["b", "c", "a"], 3, 0)


def test_nothing_is_read_for_a_user_who_records_more_than_a_history_holds() -> None:
    class BusyUsers:
        reads: ClassVar[list[str]] = []

        def is_busy(self, user_id: str) -> bool:
            return user_id == "busy"

        async def read(self, user_id: str, _: float) -> UserHistory:
            self.reads.append(user_id)
            return UserHistory(History(), degraded=(Degradation(Stage.HISTORY, "", Fallback.SNAPSHOT),))

    class Release:
        current: Any = MagicMock()

    engine = RecommendationEngine(Release(), BusyUsers(), *[MagicMock()] * 5)  # type: ignore[arg-type]
    for user in ("busy", "other"):
        asyncio.run(engine.prefetch(user))
    assert BusyUsers.reads == ["other"]


def test_nothing_is_read_after_a_recording_of_a_user_who_opted_out() -> None:
    class Histories:
        reads: ClassVar[list[str]] = []

        def is_busy(self, _: str) -> bool:
            return False

        async def read(self, user_id: str, _: float) -> UserHistory:
            self.reads.append(user_id)
            return UserHistory(History(), degraded=(Degradation(Stage.HISTORY, "", Fallback.SNAPSHOT),))

    class Releases:
        current: Any = MagicMock()

    others = dict.fromkeys(("model", "metrics", "budgets", "request_context", "exposures"), MagicMock())
    engine = RecommendationEngine(
        Releases(),  # type: ignore[arg-type]
        Histories(),  # type: ignore[arg-type]
        **others,
        is_personalized="in".__eq__,
    )
    asyncio.run(engine.prefetch("out"))
    asyncio.run(engine.prefetch("in"))
    assert Histories.reads == ["in"]


def test_prefetcher_ignores_a_recording_of_several_users() -> None:
    assert prefetched(["a", "b"], []) == ([], 0, 0)


def test_prefetcher_continues_after_a_failed_user(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        assert prefetched(["broken"], ["a"]) == (["broken", "a"], 1, 0)
    assert "prefetch failed" in caplog.text


def test_prefetcher_skips_a_user_when_the_event_loop_is_busy() -> None:
    assert prefetched(["a"], busy_s=0.15) == ([], 0, 1)


def test_prefetcher_drops_the_oldest_user_when_its_queue_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "_MAX_QUEUE", 2)
    assert prefetched(["a"], ["b"], ["c"]) == (["b", "c"], 2, 1)
