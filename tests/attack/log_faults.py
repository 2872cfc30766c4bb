"""The SQLite log is locked by a writer for seconds, or deleted, while clients record and ask."""

import sqlite3
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Final

from serving.client import Recommender
from serving.errors import PenchantError
from tests.attack.figures import Figure
from tests.attack.served import served

WRITERS: Final = 16
ANSWERS: Final = 60
RECORDINGS: Final = 300

# Deadline of an answer.
_DEADLINE_S: Final = 1.0


def figures() -> list[Figure]:
    with TemporaryDirectory() as folder, served(Path(folder)) as (address, _):
        with Recommender(address, 30) as client:
            client.record("u", "comedy-1")
        log = Path(folder) / "interaction_log.db"
        return [_locked(address, log), _deleted(address, log)]


def _locked(address: str, log: Path) -> Figure:
    """Count the answers that fail while another process holds the write lock and recordings wait for it."""
    failed, unlocked = 0, Event()

    def record() -> None:
        with Recommender(address, 5) as client:
            while not unlocked.is_set():
                with suppress(PenchantError):
                    client.record("u", "comedy-1")

    with closing(sqlite3.connect(log, isolation_level=None)) as other, ThreadPoolExecutor(WRITERS) as writers:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(WRITERS):
            writers.submit(record)
        time.sleep(1)  # all of them wait
        with Recommender(address, _DEADLINE_S) as client:
            for number in range(ANSWERS):
                try:
                    client.recommend("u", scenario="email" if number % 2 else "")
                except PenchantError:
                    failed += 1
        other.execute("ROLLBACK")
        unlocked.set()
    what = f"answers that fail while the log is locked and {WRITERS} clients record"
    return Figure(what, f"{failed} of {ANSWERS}", "0", failed == 0)


def _deleted(address: str, log: Path) -> Figure:
    """Count the interactions that were acknowledged after the log was deleted, and are not in it."""
    acknowledged, failed = list[str](), 0
    with Recommender(address, 5) as client:
        for number in range(RECORDINGS):
            if number == RECORDINGS // 3:
                for file in log.parent.glob(f"{log.name}*"):
                    file.unlink()
                acknowledged.clear()
            name = uuid.uuid4().hex
            try:
                client.record("u", "comedy-1", interaction_id=name)
            except PenchantError:
                failed += 1
            else:
                acknowledged.append(name)
    with closing(sqlite3.connect(log)) as database:
        recorded = {name for (name,) in database.execute("SELECT interaction_id FROM interactions")}
    lost = len(set(acknowledged) - recorded)
    reached = f"{lost} of {len(acknowledged)} lost, {failed} failed"
    return Figure("recordings after the log was deleted", reached, "0 lost", lost == 0)
