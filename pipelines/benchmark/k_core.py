"""Reduces interactions to their k-core: every user and every item has at least k interactions."""

import json
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.errors import StepError
from components.progress import report
from feature_repo.atomic_files import atomic_file
from feature_repo.event_types import IMPRESSION

REQUIRED_COLUMNS: Final = ("user_id", "item_id", "timestamp")


def k_core(users: NDArray[np.int64], items: NDArray[np.int64], k: int) -> NDArray[np.bool_]:
    """Return which interactions belong to the k-core; it does not depend on their order.

    Args:
        users, items: [interactions] codes from 0.

    Returns:
        [interactions] bool.
    """
    kept = np.ones(len(users), bool)
    while True:
        user_counts = np.bincount(users, weights=kept)[users] if len(users) else np.zeros(0)
        item_counts = np.bincount(items, weights=kept)[items] if len(items) else np.zeros(0)
        remaining = kept & (user_counts >= k) & (item_counts >= k)
        if remaining.sum() == kept.sum():
            return kept
        kept = remaining


def write_k_core(source: Path, target: Path, k: int) -> None:
    """Write the k-core of the tables in `source`, and their sizes as counts.json, to `target`.

    The tables are interactions, items and users.parquet. Impressions do not count as interactions. With k
    above 0, items and users without interactions are dropped.

    Raises:
        StepError: an interaction lacks a user, an item or a timestamp, or the k-core is empty.
    """
    tables = {name: pq.read_table(source / f"{name}.parquet") for name in ("interactions", "items", "users")}
    interactions = tables["interactions"].filter(pc.field("event_type") != IMPRESSION)
    _check_required(interactions)
    kept = k_core(_codes(interactions["user_id"]), _codes(interactions["item_id"]), k)
    if not kept.any():
        raise StepError(
            f"the {k}-core of {len(kept):,} interactions is empty: "
            "use a smaller --min-interactions, or more data"
        )
    tables["interactions"] = interactions.filter(pa.array(kept))
    if k:
        for name, key in (("items", "item_id"), ("users", "user_id")):
            remaining = tables["interactions"][key].unique()
            tables[name] = tables[name].filter(pc.is_in(tables[name][key], remaining))
    target.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        with atomic_file(target / f"{name}.parquet") as staged:
            pq.write_table(table, staged)
    counts = {name: len(table) for name, table in tables.items()}
    (target / "counts.json").write_text(json.dumps(counts))
    report(f"{k}-core: " + ", ".join(f"{count:,} {name}" for name, count in counts.items()))


def _check_required(interactions: pa.Table) -> None:
    for column in REQUIRED_COLUMNS:
        if missing := interactions[column].null_count:
            raise StepError(
                f"{missing:,} of {len(interactions):,} interactions have no readable {column}: correct "
                "the file; a benchmark does not drop interactions silently"
            )


def _codes(ids: pa.ChunkedArray) -> NDArray[np.int64]:
    codes: NDArray[np.int64] = ids.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    return codes
