"""Measures time and memory of one epoch on a catalog of a million items, for growing data.

python -m tests.benchmarks.training_scale [--items 1000000] [--interactions 1000000 2500000 …] [--home DIR]

With the default sizes it takes about an hour on two cores.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.contract import MAX_HISTORY
from feature_repo.feedback import FeedbackPolicy
from feature_repo.table_schemas import ITEMS
from pipelines.peak_memory import peak_memory

INTERACTIONS: Final = (1_000_000, 2_500_000, 5_000_000, 10_000_000)
CATEGORIES: Final = 200
MEAN_LENGTH: Final = 60  # interactions of a user, before the window cuts long histories
SESSION: Final = 6  # interactions in a row with similar items
REACH: Final = 20  # the items of a session are at most so many ids apart
MINUTE, DAY = 60_000_000, 86_400_000_000


class Unlogged:
    """A tracker that records nothing."""

    run_id = ""

    def log_params(self, params: Any) -> None: ...

    def log_metrics(self, metrics: Any, step: int = 0) -> None: ...

    def log_dataset(self, file: Path, context: str, profile: str) -> None: ...


def item_ids(count: int) -> list[str]:
    return [f"item-{number}" for number in range(count)]


def write_items(file: Path, count: int) -> None:
    """Write items with two of CATEGORIES categories each; neighbours share the first one."""
    near = np.arange(count) * CATEGORIES // count
    other = np.random.default_rng(1).integers(0, CATEGORIES, count)
    categories = [[f"c{a}", f"c{b}"] for a, b in zip(near.tolist(), other.tolist(), strict=True)]
    empty = {name: pa.nulls(count, ITEMS.field(name).type) for name in ITEMS.names}
    table = {**empty, "item_id": item_ids(count), "title": [""] * count, "categories": categories}
    pq.write_table(pa.table(table, schema=ITEMS), file)


def write_training_set(file: Path, items: int, interactions: int) -> None:
    """Write users with sessions: each begins at an item by Zipf's law and stays near it."""
    random = np.random.default_rng(2)
    lengths = np.clip(random.lognormal(np.log(MEAN_LENGTH) - 0.5, 1.0, interactions // 25), 3, MAX_HISTORY)
    lengths = lengths.astype(np.int64)
    users = int(np.searchsorted(np.cumsum(lengths), interactions))
    lengths = lengths[: users + 1]
    count = int(lengths.sum())
    weights = np.cumsum(1 / np.arange(1, items + 1))
    ranks = np.searchsorted(weights, random.random(count // SESSION + 1) * weights[-1])
    item_of_rank = random.permutation(items)  # popular items are not similar items
    starts = np.repeat(item_of_rank[ranks], SESSION)[:count]
    chosen = (starts + random.integers(0, REACH, count)) % items
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    timestamps = DAY + np.arange(count) * MINUTE
    kinds = np.array(["view", "purchase"], object)
    lists = {
        "item_ids": pa.array(np.array(item_ids(items), object)[chosen], pa.string()),
        "event_types": pa.array(kinds[(random.random(count) < 0.1).astype(int)], pa.string()),
        "values": pa.nulls(count, pa.float32()),
        "timestamps": pa.array(timestamps),
    }
    columns = {name: pa.ListArray.from_arrays(pa.array(offsets), part) for name, part in lists.items()}
    table = {
        "user_id": [f"user-{number}" for number in range(len(lengths))],
        "cutoff": timestamps[offsets[1:] - 1] + MINUTE,
        "split": ["all"] * len(lengths),
        "target_item_id": pa.nulls(len(lengths), pa.string()),
    }
    pq.write_table(pa.table({**table, **columns}), file)


def train_once(home: Path) -> dict[str, float]:
    """Train one epoch with the sizes that the step chooses; returns its figures, seconds and peak bytes."""
    from components.train_interest_model.training import train

    started = time.perf_counter()
    figures = train(
        home / "training_set.parquet",
        home / "items.parquet",
        "all",
        {"epochs": 1},
        home / "interest_model",
        None,
        Unlogged(),  # type: ignore[arg-type]
        FeedbackPolicy(),
    )
    taken = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time()}
    return {**figures, **taken, "peak_bytes": peak_memory()}


def measure(home: Path, items: int, interactions: int) -> dict[str, float]:
    """Train in a process of its own, so that the peak memory belongs to this training alone."""
    write_training_set(home / "training_set.parquet", items, interactions)
    command = [sys.executable, "-m", "tests.benchmarks.training_scale", "--home", str(home), "--once"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"training on {interactions:,} interactions failed, see above")
    print(*(f"  {line}" for line in done.stdout.splitlines()[:-1]), sep="\n", flush=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--interactions", type=int, nargs="+", default=INTERACTIONS)
    parser.add_argument("--home", type=Path, help="folder for the data (default: a temporary one)")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if arguments.once:
        print(json.dumps(train_once(arguments.home)))
        return
    rows = ["interactions    epoch s   positions/s    total s      CPU s   peak GB"]
    with TemporaryDirectory() as folder:
        home = arguments.home or Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        write_items(home / "items.parquet", arguments.items)
        for interactions in arguments.interactions:
            figures = measure(home, arguments.items, interactions)
            rows.append(line(interactions, figures))
            print(rows[-1], flush=True)
    print(f"{arguments.items:,} items, one epoch", *rows, sep="\n")


def line(interactions: int, figures: dict[str, float]) -> str:
    speed, gigabytes = figures["positions_per_second"], figures["peak_bytes"] / 1e9
    return (
        f"{interactions:12,} {interactions / speed:10.1f} {speed:13,.0f}"
        f" {figures['seconds']:10.1f} {figures['cpu_seconds']:10.1f} {gigabytes:9.2f}"
    )


if __name__ == "__main__":
    main()
