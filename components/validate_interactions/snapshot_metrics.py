"""Metrics of a whole snapshot, and what is kept about the last snapshot that passed."""

import json
import math
from functools import reduce
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.ingest_interactions.warehouse.manifest import Warehouse
from components.validate_interactions.expectations import GROWTH, ROWS, described_metric, type_metric
from feature_repo.atomic_files import atomic_upload
from feature_repo.filesystems import locate
from feature_repo.table_schemas import INTERACTIONS

LAST_RUN: Final = "validation.json"


def measure_snapshot(interactions: Path, items: Path, users: Path, warehouse: str) -> pd.DataFrame:
    """Return one row: the columns' types, the row count, its growth, the described shares (NaN: unknown)."""
    schema = pq.read_schema(interactions)
    rows = pq.read_metadata(interactions).num_rows
    last_rows = expected_row_count(warehouse)
    types = {
        type_metric(name): str(schema.field(name).type) if name in schema.names else "absent"
        for name in INTERACTIONS.names
    }
    metrics = {
        ROWS: rows,
        GROWTH: rows / last_rows if last_rows else math.nan,
        described_metric("items"): _described_share(items, {"item_id", "domain"}),
        described_metric("users"): _described_share(users, {"user_id"}),
    }
    return pd.DataFrame([types | metrics])


def expected_row_count(warehouse: str) -> int:
    """Return the rows of the last snapshot that passed, without those withdrawn since; 0 when none passed."""
    last = _last_run(warehouse)
    withdrawn = Warehouse(warehouse).watermarks.withdrawn - last.get("withdrawn", 0)
    return max(0, last.get("rows", 0) - withdrawn)


def last_judged_part(warehouse: str) -> int:
    """Return the highest number of a part in the last snapshot that passed; 0 when none passed."""
    return _last_run(warehouse).get("last_part", 0)


def save_last_run(warehouse: str, rows: int, last_part: int) -> None:
    """Store the rows and the highest part number of a snapshot that passed."""
    store = Warehouse(warehouse)
    last = {"rows": rows, "withdrawn": store.watermarks.withdrawn, "last_part": last_part}
    with atomic_upload(store.filesystem, f"{store.root}/{LAST_RUN}") as file:
        file.write(json.dumps(last).encode())


def _last_run(warehouse: str) -> dict[str, int]:
    filesystem, root = locate(warehouse)
    try:
        with filesystem.open(f"{root}/{LAST_RUN}", "rb") as file:
            last: dict[str, int] = json.load(file)
    except FileNotFoundError:
        return {}
    return last


def _described_share(table: Path, ids: set[str]) -> float:
    """Return the share of rows with any attribute; NaN when no row has one (no such table was ingested)."""
    columns = [name for name in pq.read_schema(table).names if name not in ids]
    if not columns:
        return math.nan
    described = reduce(
        pc.or_, (column.is_valid() for column in pq.read_table(table, columns=columns).columns)
    )
    return pc.mean(described).as_py() or math.nan
