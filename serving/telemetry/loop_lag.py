"""Event-loop lag, measured with a periodic timer."""

import asyncio
from typing import Final

from serving.telemetry.metrics import Metrics

_PERIOD_S: Final = 0.1


async def watch_lag(metrics: Metrics) -> None:
    """Observe the delay of a periodic timer, until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _PERIOD_S
        await asyncio.sleep(_PERIOD_S)
        metrics.event_loop_lag.observe(max(0.0, loop.time() - due))
