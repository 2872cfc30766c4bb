"""Measures the time from a file of 100,000 rows to the first answer, for several layouts.

python -m tests.benchmarks.first_answer [--layouts movielens retailrocket amazon] [--rows 100000]

It trains with the default hyperparameters, approves the release, serves it, and asks for one answer.
"""

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from pipelines.local_run.runner import run_locally
from pipelines.pipeline_arguments import source_arguments, training_arguments
from pipelines.review.decisions import approve
from pipelines.servers.servers import serve_live_release
from pipelines.settings import load_settings
from pipelines.training_pipeline import training
from serving.client import Recommender

# The target for a file of 100,000 rows, on two cores.
GOAL_S: Final = 90
SESSION: Final = 5  # interactions of a user in a row
START: Final = 1_704_067_200  # 2024-01-01
DAY: Final = 86_400

Numbers = NDArray[np.int64]
Write = Callable[[pd.DataFrame, Path], None]


@dataclass(frozen=True)
class Layout:
    """A layout of files: its numbers of users and items, and how a table of interactions is written in it."""

    users: int
    items: int
    write: Write


@dataclass
class Phase:
    """A part of the way to the first answer; CPU seconds on all cores."""

    name: str
    seconds: float = 0.0
    cpu_seconds: float = 0.0


def interactions(rows: int, users: int, items: int) -> pd.DataFrame:
    """Return sessions of random users: the columns user, item, rating and time, in seconds since the epoch.

    Two of three items are one of the three successors of the item before, the others are drawn by Zipf's law.
    """
    random = np.random.default_rng(20261124)
    sessions, shares = -(-rows // SESSION), (1.0 + np.arange(items)) ** -0.8
    shares, successors = random.permutation(shares / shares.sum()), random.integers(0, items, (items, 3))
    chosen = random.choice(items, (SESSION, sessions), p=shares)
    follows = random.random((SESSION, sessions)) < 2 / 3
    for step in range(1, SESSION):
        next_items = successors[chosen[step - 1], random.integers(0, 3, sessions)]
        chosen[step] = np.where(follows[step], next_items, chosen[step])
    times = START + random.integers(0, 180 * DAY, sessions) + 40 * np.arange(SESSION)[:, None]
    columns = {
        "user": np.tile(random.integers(0, users, sessions), SESSION),
        "item": chosen.ravel(),
        "rating": random.integers(3, 6, SESSION * sessions),
        "time": times.ravel(),
    }
    return pd.DataFrame(columns)[:rows].sort_values("time", kind="stable")


def write_movielens(table: pd.DataFrame, file: Path) -> None:
    table[["user", "item", "rating", "time"]].to_csv(file, sep="\t", header=False, index=False)


def write_retailrocket(table: pd.DataFrame, file: Path) -> None:
    columns = {"visitorid": table.user, "event": "view", "itemid": table.item, "transactionid": ""}
    pd.DataFrame({"timestamp": 1000 * table.time, **columns}).to_csv(file, index=False)


def write_amazon(table: pd.DataFrame, file: Path) -> None:
    columns = {"rating": table.rating.astype(float), "timestamp": 1000 * table.time}
    names = {"user_id": "AE" + table.user.astype(str), "parent_asin": "B0" + table.item.astype(str)}
    pd.DataFrame({**names, **columns}).to_csv(file, index=False)


LAYOUTS: Final = {
    "movielens": Layout(943, 1_682, write_movielens),
    "retailrocket": Layout(20_000, 15_000, write_retailrocket),
    "amazon": Layout(12_000, 8_000, write_amazon),
}


def measure(layout: Layout, rows: int, folder: Path, console: Console) -> list[Phase]:
    """Write a file, go all the way to the first answer, and return the phases."""
    file, settings = folder / "interactions.csv", load_settings(home=folder / "home")
    table = interactions(rows, layout.users, layout.items)
    layout.write(table, file)
    phases = [Phase("train and evaluate"), Phase("approve"), Phase("serve and answer")]
    arguments = training_arguments(settings, "time", 0.05, {}) | {"policy": "review"}
    with _timed(phases[0]):
        run_locally(training, settings, arguments | source_arguments("", str(file), None, None))
    with _timed(phases[1]):
        approve(settings, 1, "benchmark", "to be measured")
    prefix = "AE" if layout.write is write_amazon else ""
    with (
        _timed(phases[2]),
        serve_live_release(settings, 0, 0) as servers,
        Recommender(servers.recommender) as recommender,
    ):
        answer = recommender.recommend(f"{prefix}{table.user.iloc[-1]}")
    console.print(f"the first answer has {len(answer.recommendations)} items, degraded: {answer.degraded}")
    return phases


@contextmanager
def _timed(phase: Phase) -> Iterator[None]:
    started, cpu = time.monotonic(), _cpu_seconds()
    yield
    phase.seconds, phase.cpu_seconds = time.monotonic() - started, _cpu_seconds() - cpu


def _cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its ended children."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def show(results: dict[str, list[Phase]], rows: int) -> Table:
    """Return a table with a row for each layout: the seconds of each phase, and the CPU seconds."""
    title = f"From a file of {rows:,} rows to the first answer, seconds (target: {GOAL_S})"
    table = Table("layout", title=title, title_justify="left")
    for name in (*(phase.name for phase in next(iter(results.values()))), "total", "CPU seconds"):
        table.add_column(name, justify="right")
    for layout, phases in results.items():
        seconds = [*(phase.seconds for phase in phases), sum(phase.seconds for phase in phases)]
        cpu_seconds = sum(phase.cpu_seconds for phase in phases)
        table.add_row(layout, *(f"{value:.1f}" for value in (*seconds, cpu_seconds)))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--layouts", nargs="+", choices=LAYOUTS, default=list(LAYOUTS))
    parser.add_argument("--rows", type=int, default=100_000)
    arguments = parser.parse_args()
    console, results = Console(), {}
    for name in arguments.layouts:
        console.rule(name, align="left")
        with TemporaryDirectory() as folder:
            results[name] = measure(LAYOUTS[name], arguments.rows, Path(folder), console)
    console.print(show(results, arguments.rows))


if __name__ == "__main__":
    main()
