"""The k-core: interactions of users and items that have at least k among themselves."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.errors import StepError
from components.progress import report
from feature_repo.atomic_files import atomic_file
from feature_repo.contract import IMPRESSION

KEYS = ("user_id", "item_id", "timestamp")


def k_core(users: NDArray[np.int64], items: NDArray[np.int64], k: int) -> NDArray[np.bool_]:
    """Which interactions stay when users and items with fewer than k are taken out until none is left.

    Args:
        users, items: [interactions] numbers from 0, of who and what each is about.

    Returns:
        [interactions]; the same whatever the order of taking out.
    """
    kept = np.ones(len(users), bool)
    while True:
        of_user = np.bincount(users, weights=kept)[users] if len(users) else np.zeros(0)
        of_item = np.bincount(items, weights=kept)[items] if len(items) else np.zeros(0)
        staying = kept & (of_user >= k) & (of_item >= k)
        if staying.sum() == kept.sum():
            return kept
        kept = staying


def write_k_core(ingested: Path, core: Path, k: int) -> None:
    """Read interactions, items and users.parquet of `ingested`, write what is of the k-core to `core`.

    `counts.json` beside them says how many. Impressions are no interactions; with k above 0 an item without
    interactions goes too.

    Raises:
        StepError: an interaction lacks user, item or time, or nothing is left.
    """
    tables = {
        name: pq.read_table(ingested / f"{name}.parquet") for name in ("interactions", "items", "users")
    }
    interactions = tables["interactions"].filter(pc.field("event_type") != IMPRESSION)
    _check_keys(interactions)
    kept = k_core(_numbers(interactions["user_id"]), _numbers(interactions["item_id"]), k)
    tables["interactions"] = interactions.filter(pa.array(kept))
    if not kept.any():
        raise StepError(
            f"no user and item with {k} interactions each among {len(kept):,} interactions: "
            "take a smaller --min-interactions, or bring more data"
        )
    if k:
        for name, key in (("items", "item_id"), ("users", "user_id")):
            left = tables["interactions"][key].unique()
            tables[name] = tables[name].filter(pc.is_in(tables[name][key], left))
    for name, table in tables.items():
        with atomic_file(core / f"{name}.parquet") as staged:
            pq.write_table(table, staged)
    counts = {name: len(table) for name, table in tables.items()}
    (core / "counts.json").write_text(json.dumps(counts))
    report(f"{k}-core: " + ", ".join(f"{count:,} {name}" for name, count in counts.items()))


def _check_keys(interactions: pa.Table) -> None:
    for key in KEYS:
        if lacking := interactions[key].null_count:
            raise StepError(
                f"{lacking:,} of {len(interactions):,} interactions have no readable {key}: mend the file; "
                "a benchmark leaves none out unsaid"
            )


def _numbers(ids: pa.ChunkedArray) -> NDArray[np.int64]:
    codes: NDArray[np.int64] = ids.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    return codes
