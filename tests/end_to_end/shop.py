"""A small shop with two tastes: whoever buys tea goes on with tea, whoever buys bolts goes on with bolts."""

from pathlib import Path

import numpy as np
import pandas as pd

TASTES = ("tea", "bolts")
ITEMS_OF_EACH = 15
USERS = 60
EVENTS_OF_EACH = 24
FIRST = pd.Timestamp("2026-01-01", tz="UTC")


def write_shop(folder: Path) -> dict[str, Path]:
    """CSV files of interactions, items and users, in the contract's columns."""
    random = np.random.default_rng(7)
    rows = []
    for user in range(USERS):
        taste = TASTES[user % 2]
        item = int(random.integers(ITEMS_OF_EACH))
        for event in range(EVENTS_OF_EACH):
            # Within a taste the next item is mostly the next in line.
            item = (
                (item + 1) % ITEMS_OF_EACH if random.random() < 0.8 else int(random.integers(ITEMS_OF_EACH))
            )
            moment = FIRST + pd.Timedelta(hours=24 * event + user)
            rows.append((f"u{user}", f"{taste}-{item}", "purchase", moment.isoformat()))
    items = [
        (f"{taste}-{number}", f"{taste.title()} no. {number}", taste)
        for taste in TASTES
        for number in range(ITEMS_OF_EACH)
    ]
    users = [(f"u{user}", "north" if user < USERS // 2 else "south") for user in range(USERS)]
    tables = {
        "interactions": pd.DataFrame(rows, columns=["user_id", "item_id", "event_type", "timestamp"]),
        "items": pd.DataFrame(items, columns=["item_id", "title", "categories"]),
        "users": pd.DataFrame(users, columns=["user_id", "region"]),
    }
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: folder / f"{name}.csv" for name in tables}
    for name, table in tables.items():
        table.to_csv(files[name], index=False)
    return files
