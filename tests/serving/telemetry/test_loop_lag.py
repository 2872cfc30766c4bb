"""A busy event loop shows as lag."""

import asyncio

import pytest

from serving.telemetry.loop_lag import watch_lag
from serving.telemetry.metrics import Metrics


class SteppedEventLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still unless a test moves it."""

    now = 100.0

    def time(self) -> float:
        return self.now


def test_loop_lag_is_the_delay_of_a_timer_behind_a_busy_event_loop() -> None:
    metrics = Metrics()

    async def be_busy() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SteppedEventLoop)
        watching = asyncio.ensure_future(watch_lag(metrics))
        await asyncio.sleep(0)  # the timer starts
        loop.now += 0.4  # it was due after 0.1 s
        while not metrics.registry.get_sample_value("penchant_event_loop_lag_seconds_count"):
            await asyncio.sleep(0)
        watching.cancel()

    with asyncio.Runner(loop_factory=SteppedEventLoop) as runner:
        runner.run(be_busy())
    assert metrics.registry.get_sample_value("penchant_event_loop_lag_seconds_count") == 1
    assert metrics.registry.get_sample_value("penchant_event_loop_lag_seconds_sum") == pytest.approx(0.3)
