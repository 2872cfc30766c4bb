"""Measures a rollback under load: from the command until both workers answer from the earlier version.

python -m tests.benchmarks.rollback [--rate 200] [--rollbacks 5]

`penchant serve` with two workers and the embedded model server, requests that arrive at random moments
(a Poisson process), and `penchant review rollback`. Both versions have the same small model. Each title names
the version of its item, so that an answer with items of another version than it says is found.
"""

import argparse
import os
import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Final
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from components.push_release.live_switch import switch
from feature_repo.contract import INTEREST_MODEL, RANKING
from serving.client import Recommender
from serving.errors import PenchantError
from serving.release.collaborative_filters import CollaborativeFilters
from serving.release.ranking_data import write_ranking
from serving.release.release_store import ReleaseStore
from tests.components.evaluate_release.ring_world import N_ITEMS, World, build_world
from tests.end_to_end.commands import penchant, serve

WORKERS: Final = 2
GOAL_S: Final = 2.0
# Each client has a connection of its own; the kernel distributes connections to the workers.
CLIENTS: Final = 16
# Load before the command, and after the last answer of the version that was live.
_BEFORE_S, _AFTER_S = 2.0, 3.0
_BLEND: Final = {"features": ["interest"], "weights": [1.0], "means": [0.0], "scales": [1.0]}


@dataclass(frozen=True)
class Answered:
    """An answer: when it arrived, its version, and whether all of its items are of that version."""

    at: float
    version: int
    is_whole: bool


@dataclass
class Load:
    """What all clients got; threads only append, which is safe."""

    answers: list[Answered] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Rollback:
    """Seconds from the start of the command until it had switched, and until the last other answer."""

    switched_s: float
    all_s: float
    errors: int
    mixed: int
    answers: int


def publish(world: World, releases: Path, version: int) -> None:
    """Publish the world's run; each title ends with the version."""
    items = pq.read_table(world.items)
    titles = pa.array([f"item {item} of version {version}" for item in range(N_ITEMS)])
    items = items.set_column(items.schema.get_field_index("title"), "title", titles)
    ranking, interest = releases / RANKING / str(version), releases / INTEREST_MODEL / str(version)
    ranking.mkdir(parents=True)
    shutil.copytree(world.interest_model / "saved_model", interest)
    embeddings = np.load(world.interest_model / "item_embeddings.npy")
    filters = CollaborativeFilters.load(world.filters)
    write_ranking(ranking, items, embeddings, filters, _BLEND, interest)


@contextmanager
def loaded(address: str, rate: float) -> Iterator[Load]:
    """Let CLIENTS ask at `rate` requests/s in all until the block ends."""
    load, stop = Load(), Event()

    def ask(number: int) -> None:
        generator, due = np.random.default_rng(number), time.monotonic()
        with Recommender(address, 5) as client:
            while not stop.wait(max(0.0, due - time.monotonic())):
                due += generator.exponential(CLIENTS / rate)
                try:
                    answer = client.recommend(f"user-{generator.integers(1_000)}", k=10)
                except PenchantError as error:
                    load.errors.append(str(error))
                    continue
                suffix, items = f" of version {answer.release_version}", answer.recommendations
                is_whole = len(items) > 0 and all(item.title.endswith(suffix) for item in items)
                load.answers.append(Answered(time.monotonic(), answer.release_version, is_whole))

    threads = [Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def roll_back(home: Path, store: ReleaseStore, address: str, rate: float) -> Rollback:
    """Roll back from version 2 to 1 under load.

    Raises:
        RuntimeError: the command failed, or the recommender did not follow it.
    """
    with loaded(address, rate) as load:
        time.sleep(_BEFORE_S)
        started = time.monotonic()
        done = penchant("review", "rollback", "--by", "benchmark", home=home)
        file = Path(store.root, "live.json").stat().st_mtime
        switched = file - time.time() + time.monotonic() - started
        while time.monotonic() < max((a.at for a in load.answers if a.version == 2), default=0) + _AFTER_S:
            time.sleep(0.1)
    versions = {answer.version for answer in load.answers}
    if done.returncode or store.live() != 1 or versions != {1, 2}:
        raise RuntimeError(f"no rollback: exit code {done.returncode}, {done.stderr}, versions {versions}")
    last = max(answer.at for answer in load.answers if answer.version == 2)
    mixed = sum(not answer.is_whole for answer in load.answers)
    return Rollback(switched, last - started, len(load.errors), mixed, len(load.answers))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.rollback", description=__doc__)
    parser.add_argument("--rate", type=float, default=200, help="requests/s of all clients")
    parser.add_argument("--rollbacks", type=int, default=5)
    options = parser.parse_args()
    with (
        TemporaryDirectory(prefix="rollback-") as folder,
        patch.dict(os.environ, PENCHANT_WORKERS=str(WORKERS)),
    ):
        home = Path(folder, "home")
        store = ReleaseStore(str(home / "releases"))
        world = build_world(Path(folder, "world"), step=1)
        for version in (1, 2):
            publish(world, Path(store.root), version)
            switch(store, version, "pushed", "benchmark")
        measured = list[Rollback]()
        with serve(home) as served, Recommender(served.recommender, 60) as client:
            for _ in range(options.rollbacks):
                switch(store, 2, "pushed", "benchmark")
                while client.recommend("user-0", k=1).release_version != 2:
                    time.sleep(0.1)
                measured.append(roll_back(home, store, served.recommender, options.rate))
    return _report(measured)


def _report(measured: list[Rollback]) -> int:
    slowest = max(rollback.all_s for rollback in measured)
    switched = statistics.median(rollback.switched_s for rollback in measured)
    after = statistics.median(rollback.all_s - rollback.switched_s for rollback in measured)
    answers = sum(rollback.answers for rollback in measured)
    errors = sum(rollback.errors for rollback in measured)
    mixed = sum(rollback.mixed for rollback in measured)
    table = Table(f"{len(measured)} rollbacks under load, {answers:,} answers", "measured", "wanted")
    table.add_row(
        "command to the last answer of the other version, slowest", f"{slowest:.2f} s", f"≤ {GOAL_S} s"
    )
    table.add_row("of this: until the command has switched, median", f"{switched:.2f} s", "")
    table.add_row("then until both workers follow, median", f"{after:.2f} s", "")
    table.add_row("errors", str(errors), "0")
    table.add_row("answers that mix versions", str(mixed), "0")
    Console(width=120).print(table)
    return int(slowest > GOAL_S or errors > 0 or mixed > 0)


if __name__ == "__main__":
    sys.exit(main())
