"""One client records views of items that do not exist, very often, or with an impossible time.

The shop has an items table. Its items alone may be recommended; one person may not own the trend, and one
wrong time may not change its half-life.
"""

import time
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.parquet as pq

from components.train_collaborative_filters.interactions import Interactions
from components.train_collaborative_filters.popularity import half_life, trend
from feature_repo.bounds import EARLIEST_US
from feature_repo.interaction import Interaction
from tests.attack.figures import Figure
from tests.attack.planted_home import PlantedHome, planted_home

ITEMS: Final = 40
TABLE: Final = "item_id,title\n" + "\n".join(f"i{number},Item {number}" for number in range(ITEMS))
SECOND_US: Final = 1_000_000


def figures() -> list[Figure]:
    with planted_home() as home:
        home.run(items=TABLE)
        before = half_life(_interactions(home.valid)[0])
        _attack(home, time.time_ns() // 1000)
        home.run()
        items = pq.read_table(home.root / "items.parquet").to_pylist()
        recommended = [row["item_id"] for row in items if row["available_until"] is None]
        interactions, item_ids = _interactions(home.valid)
    after = half_life(interactions)
    order = np.argsort(-trend(interactions, after), kind="stable")
    rank = 1 + [item_ids[position] for position in order].index("spam")
    span = [f"{moment / 86_400e6:.1f} days" for moment in (before, after)]
    number = len(recommended)
    return [
        Figure("200 views of made-up ids", f"{number} recommended", f"{ITEMS} recommended", number == ITEMS),
        Figure("1,200 views of one item by one person", f"rank {rank} of the trend", "last", rank > ITEMS),
        Figure("the half-life of the trend, with a row of 1990", span[1], span[0], span[0] == span[1]),
    ]


def _attack(home: PlantedHome, now: int) -> None:
    """Record 200 made-up ids, 1,200 views of an unknown item within 40 minutes, and a row of 1990."""
    views = [("spam", now - 2 * SECOND_US * number) for number in range(1_200)]
    made_up = [(f"made up {number}", now - SECOND_US * number) for number in range(200)]
    moments = [*views, *made_up, ("i1", EARLIEST_US)]
    answer = home.record(
        [Interaction(f"a{n}", "eve", item, "view", moment) for n, (item, moment) in enumerate(moments)]
    )
    assert answer == "recorded", answer


def _interactions(valid: Path) -> tuple[Interactions, list[str]]:
    """Return the valid rows as arrays, and the ids of the items."""
    table = pq.read_table(valid)
    users = np.unique(table["user_id"].to_numpy(zero_copy_only=False), return_inverse=True)[1]
    ids, items = np.unique(table["item_id"].to_numpy(zero_copy_only=False), return_inverse=True)
    times = table["timestamp"].cast("int64").to_numpy()
    weights = np.ones(len(table), np.float32)
    arrays = (users.astype(np.int32), items.astype(np.int32), times, weights)
    return Interactions(*arrays, int(users.max()) + 1, len(ids)), ids.tolist()
