"""The recommender process: python -m serving.server"""

import asyncio
import logging
import os
import sys

from serving.configuration.settings import ServingSettings
from serving.process.startup import STOP_SIGNALS, process_startup
from serving.server.lifecycle import DRAIN_S, run_server

logger = logging.getLogger(__name__)


def main() -> int:
    """Serve until SIGTERM or SIGINT, then finish the calls in flight; return the exit code."""
    with process_startup() as settings:
        if settings.workers > 1:  # replaces this process, so that the supervisor is without its imports
            os.execv(sys.executable, [sys.executable, "-m", "serving.process.workers"])
        asyncio.run(_serve(settings))
    return 0


async def _serve(settings: ServingSettings) -> None:
    stop = asyncio.Event()
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with run_server(settings) as port:
        print(f"recommender on {settings.host}:{port}", flush=True)
        await stop.wait()
        logger.info("stopping: calls in flight have %g s to finish", DRAIN_S)


if __name__ == "__main__":
    sys.exit(main())
