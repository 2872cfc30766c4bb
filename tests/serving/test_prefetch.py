"""Who recorded something is looked at ahead of their next answer, where nobody has to wait for it."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

import pytest

from serving import prefetch
from serving.prefetch import Prefetcher
from serving.telemetry.metrics import Metrics


class Worked:
    """Keeps for whom it worked; fails for whoever is named "broken"."""

    def __init__(self) -> None:
        self.users: list[str] = []

    async def __call__(self, user_id: str) -> None:
        await asyncio.sleep(0)
        self.users.append(user_id)
        if user_id == "broken":
            raise RuntimeError("no such thing")


def outcome(
    *recorded: Sequence[str], between: Callable[[], None] = lambda: None
) -> tuple[list[str], float | None, float | None]:
    """For whom was worked, how many were made ready and how many were left; each is given time enough."""
    worked, metrics = Worked(), Metrics()

    async def serve() -> None:
        ahead = Prefetcher(worked, metrics)
        running = asyncio.create_task(ahead.run())
        await asyncio.sleep(0)
        for user_ids in recorded:
            ahead.enqueue(user_ids)
        await asyncio.sleep(0)
        between()
        await asyncio.sleep(0.2)
        running.cancel()

    asyncio.run(serve())
    read = metrics.registry.get_sample_value
    ready, left = (read("penchant_anticipated_total", {"outcome": name}) for name in ("ready", "left"))
    return worked.users, ready, left


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine may be busy with other things."""
    monkeypatch.setattr(prefetch, "_LATE_S", 0.1)


def test_who_recorded_last_comes_last_and_nobody_twice() -> None:
    assert outcome(["a", "a"], ["b"], ["c"], ["a"]) == (["b", "c", "a"], 3, 0)


def test_an_import_of_many_users_is_no_sign_that_they_ask() -> None:
    assert outcome(["a", "b"], []) == ([], 0, 0)


def test_one_that_fails_leaves_the_others(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        assert outcome(["broken"], ["a"]) == (["broken", "a"], 1, 0)
    assert "could not be worked out" in caplog.text


def test_where_calls_wait_they_go_first() -> None:
    assert outcome(["a"], between=lambda: time.sleep(0.15)) == ([], 0, 1)


def test_where_more_wait_than_can_be_looked_at_the_first_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "_WAITING", 2)
    assert outcome(["a"], ["b"], ["c"]) == (["b", "c"], 2, 1)
