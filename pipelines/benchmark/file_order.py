"""Orders interactions with equal times as their source does, which published results assume, or randomly."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.ingest_interactions.duckdb_session import connect, file_list
from components.ingest_interactions.warehouse.manifest import Warehouse
from feature_repo.atomic_files import atomic_file


def order_equal_times(warehouse: str, interactions: Path, random_order: int = 0) -> None:
    """Make equal times of a user different by steps of 1 µs, in the order of the source's rows.

    Publications sort by time and leave interactions with equal times in the order of the file. So the last
    one of them is a target, and the others are in its history. The pipeline never does that: the order of a
    file says nothing about the order of the interactions.

    Args:
        warehouse: the warehouse that the snapshot was made from.
        interactions: the snapshot's file; it is replaced.
        random_order: 0 for the order of the source; each other number gives an order of its own.
    """
    store = Warehouse(warehouse)
    tie = f"md5(interaction_id || ':{random_order:d}'), " if random_order else ""
    with connect(store.filesystem) as connection:
        table = connection.sql(
            f"""
            SELECT snapshot.* FROM read_parquet({file_list([interactions])}) AS snapshot
            JOIN {store.rows("interactions")} AS stored USING (interaction_id, user_id, item_id)
            ORDER BY user_id, snapshot."timestamp", {tie}stored.part, stored.source_row
            """
        ).to_arrow_table()
    schema = pq.read_schema(interactions)
    position = table.schema.get_field_index("timestamp")
    times = pa.array(_strictly_increasing(table), pa.int64()).cast(schema.field("timestamp").type)
    with atomic_file(interactions) as staged:
        pq.write_table(
            table.set_column(position, "timestamp", times).select(schema.names).cast(schema), staged
        )


def _strictly_increasing(table: pa.Table) -> NDArray[np.int64]:
    """Return the times [rows] µs, each at least 1 µs later than the user's time before."""
    positions = np.arange(len(table))
    users = table["user_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    offsets = table["timestamp"].cast(pa.int64()).to_numpy() - positions
    # The running maximum of (time - position), plus position, grows by at least 1 in each row.
    spread: NDArray[np.int64] = pd.Series(offsets).groupby(users).cummax().to_numpy() + positions
    return spread
