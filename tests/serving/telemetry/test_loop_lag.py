"""Event-loop lag."""

import asyncio

import pytest

from serving.telemetry.loop_lag import watch_lag
from serving.telemetry.metrics import Metrics
from tests.serving.stepped_event_loop import SteppedEventLoop, run_stepped


def test_loop_lag_is_how_late_the_event_loop_runs_a_timer() -> None:
    metrics = Metrics()

    async def be_busy(loop: SteppedEventLoop) -> None:
        watching = asyncio.ensure_future(watch_lag(metrics))
        await loop.pass_time(0)
        await loop.pass_time(0.4)  # the timer was due after 0.1 s
        watching.cancel()

    run_stepped(be_busy)
    read = metrics.registry.get_sample_value
    assert read("penchant_event_loop_lag_seconds_count") == 1
    assert read("penchant_event_loop_lag_seconds_sum") == pytest.approx(0.3)
