"""Figures about a whole snapshot, and how many rows the last run had."""

import json
import math
from functools import reduce
from pathlib import Path
from typing import Final

import fsspec
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from feature_repo.atomic_files import atomic_upload
from feature_repo.contract import INTERACTIONS

LAST_RUN: Final = "validation.json"


def of_snapshot(interactions: Path, items: Path, users: Path, warehouse: str) -> pd.DataFrame:
    """One row: the types of the columns, the rows, their growth and description as shares (NaN: unknown)."""
    found = pq.read_schema(interactions)
    rows = pq.read_metadata(interactions).num_rows
    last = last_rows(warehouse)
    types = {
        f"type of {name}": str(found.field(name).type) if name in found.names else "absent"
        for name in INTERACTIONS.names
    }
    return pd.DataFrame(
        {
            **{name: [value] for name, value in types.items()},
            "rows": [rows],
            "growth since the last run": [rows / last if last else math.nan],
            "described items": [_described(items, {"item_id", "domain"})],
            "described users": [_described(users, {"user_id"})],
        }
    )


def last_rows(warehouse: str) -> int:
    """The rows of the last snapshot that passed, 0 when none did."""
    filesystem, root = fsspec.url_to_fs(warehouse)
    try:
        with filesystem.open(f"{root}/{LAST_RUN}", "rb") as file:
            return int(json.load(file)["rows"])
    except FileNotFoundError:
        return 0


def keep_rows(warehouse: str, rows: int) -> None:
    """Remember the rows of a snapshot that passed, atomically."""
    filesystem, root = fsspec.url_to_fs(warehouse)
    with atomic_upload(filesystem, f"{root}/{LAST_RUN}") as file:
        file.write(json.dumps({"rows": rows}).encode())


def _described(table: Path, ids: set[str]) -> float:
    """The share of rows that say more than ids; NaN when no row does, for then nobody gave such a table."""
    columns = [name for name in pq.read_schema(table).names if name not in ids]
    if not columns:
        return math.nan
    described = reduce(
        pc.or_, (column.is_valid() for column in pq.read_table(table, columns=columns).columns)
    )
    return pc.mean(described).as_py() or math.nan
