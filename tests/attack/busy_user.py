"""A user with 100,000 interactions since the snapshot, for whom two clients ask, next to another user."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Final

from feature_repo.interaction import Interaction
from serving.client import Recommender
from serving.user_data.interaction_log import InteractionLog
from tests.attack.figures import Figure
from tests.attack.served import served
from tests.serving.planted import COUNT

ROWS: Final = 100_000
ROUNDS: Final = 8
CALLS: Final = 40

# The time of the first interaction.
_START_US: Final = 1_700_000_000_000_000

# Each of the two clients asks so often.
_PERIOD_S: Final = 0.05


def figures() -> list[Figure]:
    with TemporaryDirectory() as folder:
        _record(Path(folder))
        with served(Path(folder)) as (address, _), Recommender(address, 30) as client:
            return [_others(address, client), *_own(client)]


def _record(home: Path) -> None:
    """Give user "busy" ROWS interactions, and the users "other" and "neighbour" a full history."""
    log = InteractionLog(f"sqlite:///{home}/interaction_log.db")
    for user, rows in (("busy", ROWS), ("other", 150), ("neighbour", 150)):
        for start in range(0, rows, 1000):
            numbers = range(start, min(rows, start + 1000))
            log.record([_view(user, number) for number in numbers])
    log.close()


def _view(user: str, number: int) -> Interaction:
    category = ("comedy", "horror")[number % 2]
    return Interaction(
        f"{user}-{number}", user, f"{category}-{number % (COUNT // 4)}", "view", _START_US + number
    )


def _others(address: str, client: Recommender) -> Figure:
    """Compare the p50 of user "other" without load and while two clients ask for user "busy"."""
    client.recommend("other")
    idle, loaded = list[float](), list[float]()
    for _ in range(ROUNDS):
        idle += _times(lambda: client.recommend("other"))
        with _asking(address, "busy"):
            loaded += _times(lambda: client.recommend("other"))
    ratio = statistics.median(loaded) / statistics.median(idle)
    what = f"p50 of another user while two clients ask 20 times a second for one with {ROWS:,} new rows"
    return Figure(what, f"{ratio:.2f} × idle", "≤ 1.2 × idle", ratio <= 1.2)


def _own(client: Recommender) -> Iterator[Figure]:
    """Compare the answers to "busy" with those to "neighbour": repeated ones, and ones after a recording."""
    numbers = count(ROWS)

    def recorded(user: str) -> Callable[[], object]:
        def call() -> object:
            client.record_all([_view(user, next(numbers))])
            return client.recommend(user)

        return call

    for what, calls in (
        ("repeated answer", [lambda: client.recommend("neighbour"), lambda: client.recommend("busy")]),
        ("recording and next answer", [recorded("neighbour"), recorded("busy")]),
    ):
        ordinary, busy = list[float](), list[float]()
        for _ in range(ROUNDS):
            ordinary += _times(calls[0], CALLS // 4)
            busy += _times(calls[1], CALLS // 4)
        ratio = statistics.median(busy) / statistics.median(ordinary)
        yield Figure(
            f"{what} of a user with {ROWS:,} new rows, p50",
            f"{ratio:.2f} × ordinary",
            "≤ 2 × ordinary",
            ratio <= 2,
        )


def _times(call: Callable[[], object], calls: int = CALLS) -> list[float]:
    """Return the seconds of each call."""
    seconds = []
    for _ in range(calls):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return seconds


@contextmanager
def _asking(address: str, user: str) -> Iterator[None]:
    """Let two clients ask for `user`."""
    stop = Event()

    def ask() -> None:
        with Recommender(address, 30) as client:
            while not stop.wait(_PERIOD_S):
                client.recommend(user)

    threads = [Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
