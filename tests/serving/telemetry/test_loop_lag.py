"""What keeps the event loop busy shows as its lag."""

import asyncio
import time

from serving.telemetry.loop_lag import watch_lag
from serving.telemetry.metrics import Metrics


def test_a_loop_that_is_kept_busy_comes_late_and_says_so() -> None:
    metrics = Metrics()

    async def be_busy() -> None:
        watching = asyncio.ensure_future(watch_lag(metrics))
        await asyncio.sleep(0.05)
        time.sleep(0.4)
        await asyncio.sleep(0.05)
        watching.cancel()

    asyncio.run(be_busy())
    read = metrics.registry.get_sample_value
    assert read("penchant_event_loop_lag_seconds_count") == 1
    late_s = read("penchant_event_loop_lag_seconds_sum")
    assert late_s is not None
    assert late_s >= 0.3
