"""The shop of the tutorial with other users, who have a region; each buys from one of its two categories."""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

CATEGORIES: Final = ("tea", "bolts")
ITEMS_PER_CATEGORY: Final = 12
USERS: Final = 60
PURCHASES_PER_USER: Final = 24
START: Final = pd.Timestamp("2026-01-01", tz="UTC")


def write_shop(folder: Path) -> dict[str, Path]:
    """Write CSV files of interactions, items and users, in the contract's columns; returns name -> file."""
    tables = {"interactions": _purchases(), "items": _items(), "users": _users()}
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: folder / f"{name}.csv" for name in tables}
    for name, table in tables.items():
        table.to_csv(files[name], index=False)
    return files


def _purchases() -> pd.DataFrame:
    random = np.random.default_rng(7)
    rows = []
    for user in range(USERS):
        item = int(random.integers(ITEMS_PER_CATEGORY))
        for event in range(PURCHASES_PER_USER):
            is_next = random.random() < 0.8
            item = (item + 1) % ITEMS_PER_CATEGORY if is_next else int(random.integers(ITEMS_PER_CATEGORY))
            moment = START + pd.Timedelta(hours=24 * event + user)
            rows.append((f"u{user}", f"{CATEGORIES[user % 2]}-{item}", "purchase", moment.isoformat()))
    return pd.DataFrame(rows, columns=["user_id", "item_id", "event_type", "timestamp"])


def _items() -> pd.DataFrame:
    rows = [
        (f"{category}-{number}", f"{category.title()} no. {number}", category)
        for category in CATEGORIES
        for number in range(ITEMS_PER_CATEGORY)
    ]
    return pd.DataFrame(rows, columns=["item_id", "title", "categories"])


def _users() -> pd.DataFrame:
    rows = [(f"u{user}", "north" if user < USERS // 2 else "south") for user in range(USERS)]
    return pd.DataFrame(rows, columns=["user_id", "region"])
