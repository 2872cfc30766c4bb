"""Writes a synthetic data set of any size as Parquet, one block of users after the other."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.progress import report
from feature_repo.atomic_files import atomic_directory
from feature_repo.table_schemas import TIMESTAMP
from pipelines.synthetic_data.behaviour import EVENTS, PAUSE_S, USERS, Behaviour, simulate, users_table
from pipelines.synthetic_data.catalog import Catalog, ids

# Interactions of a file and of a block in memory: about 300 MB.
BLOCK: Final = 1_000_000
# The year of all interactions, in µs since the epoch.
START: Final = 1_704_067_200_000_000  # 2024-01-01
SPAN: Final = 366 * 86_400_000_000


@dataclass(frozen=True)
class Size:
    """Numbers of users, items and interactions; each user has at least one interaction."""

    users: int
    items: int
    interactions: int

    def __post_init__(self) -> None:
        if min(self.users, self.items) < 1 or self.interactions < self.users:
            raise ValueError(
                f"--users {self.users} --items {self.items} --interactions {self.interactions}: expected at "
                "least one user and one item, and at least as many interactions as users"
            )


def write(folder: Path, size: Size, seed: int) -> None:
    """Write `interactions/part-*.parquet`, `items.parquet` and `users.parquet` into a new folder.

    The same size and seed give the same rows.

    Raises:
        ValueError: `folder` exists.
    """
    if folder.exists():
        raise ValueError(f"{folder} exists already: choose another folder, or remove it")
    generator = np.random.default_rng(seed)
    catalog = Catalog.draw(generator, size.items)
    with atomic_directory(folder) as staged:
        (staged / "interactions").mkdir()
        pq.write_table(catalog.table(START, START + SPAN), staged / "items.parquet")
        with pq.ParquetWriter(staged / "users.parquet", USERS) as users:
            for number, (owners, count, written) in enumerate(_blocks(size)):
                users.write_table(users_table(generator, owners))
                behaviour = simulate(generator, catalog, len(owners), count, PAUSE_S * 1e6 / SPAN)
                file = staged / "interactions" / f"part-{number:05}.parquet"
                pq.write_table(_interactions(behaviour, catalog, owners), file, compression="zstd")
                if written < size.interactions:
                    report(f"{written:,} of {size.interactions:,} interactions")


def _blocks(size: Size) -> Iterator[tuple[pa.Array, int, int]]:
    """Yield the users of each block, the number of their interactions, and that of all blocks so far."""
    blocks = min(-(-size.interactions // BLOCK), size.users)
    users = np.linspace(0, size.users, blocks + 1).astype(np.int64)
    ends = users + np.linspace(0, size.interactions - size.users, blocks + 1).astype(np.int64)
    for number in range(blocks):
        owners = ids("user", np.arange(users[number], users[number + 1]))
        yield owners, int(ends[number + 1] - ends[number]), int(ends[number + 1])


def _interactions(behaviour: Behaviour, catalog: Catalog, owners: pa.Array) -> pa.Table:
    times = START + (behaviour.times * (SPAN - 1)).astype(np.int64)
    return pa.table(
        {
            "user_id": owners.take(pa.array(behaviour.owners)),
            "item_id": ids("item", catalog.numbers[behaviour.items]),
            "event_type": pa.array(EVENTS).take(pa.array(behaviour.events)),
            "timestamp": pa.array(times // 1_000_000 * 1_000_000).cast(TIMESTAMP),
        }
    )
