"""How late the event loop comes to what is due: a queue that no call sees of itself."""

import asyncio
from typing import Final

from serving.telemetry.metrics import Metrics

_EVERY_S: Final = 0.1


async def watch_lag(metrics: Metrics) -> None:
    """Measure it until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _EVERY_S
        await asyncio.sleep(_EVERY_S)
        metrics.loop_lag.add((), max(0.0, loop.time() - due))
