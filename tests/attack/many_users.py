"""Tens of thousands of users with histories in their requests, anonymous or not: memory stays the same."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import psutil

from serving.client import Recommender
from tests.attack.figures import Figure
from tests.attack.served import served
from tests.serving.planted import COUNT

# The first ones fill buffers, threads and the caches of scores.
WARM_UP: Final = 2_000
ANONYMOUS: Final = 20_000
USERS: Final = 50_000

_CLIENTS: Final = 4


def figures() -> list[Figure]:
    with (
        TemporaryDirectory() as folder,
        served(Path(folder)) as (address, process),
        Recommender(address, 30) as client,
    ):

        def anonymous(number: int) -> None:
            client.recommend("", history=[_item(number), _item(number // 7)])

        def known(number: int) -> None:
            client.recommend(f"user-{number}", history=[_item(number)])

        return [
            _growth(f"{ANONYMOUS:,} anonymous histories", anonymous, ANONYMOUS, process),
            _growth(f"{USERS:,} users", known, USERS, process),
        ]


def _item(number: int) -> str:
    return f"{('comedy', 'horror')[number % 2]}-{number % (COUNT // 2)}"


def _growth(what: str, call: Callable[[int], None], calls: int, process: psutil.Process) -> Figure:
    """Compare the resident memory after WARM_UP calls with that after all."""
    with ThreadPoolExecutor(_CLIENTS) as clients:
        for _ in clients.map(call, range(WARM_UP)):
            pass
        before = process.memory_info().rss
        for _ in clients.map(call, range(WARM_UP, calls)):
            pass
    after = process.memory_info().rss
    growth = after / before - 1
    reached = f"{before / 1e6:.0f} to {after / 1e6:.0f} MB, {growth:+.1%}"
    return Figure(f"memory after {what}", reached, "± 5 %", abs(growth) <= 0.05)
