"""What the warehouse knows about the shown items and the users: popularity, the catalog, and segments."""

import pyarrow as pa
from duckdb import DuckDBPyConnection

from components.ingest_interactions.warehouse.manifest import Warehouse
from components.metrics.attribute_slices import split_by_attribute
from feature_repo.event_types import IMPRESSION


def load_popularity(connection: DuckDBPyConnection, store: Warehouse) -> int | None:
    """Create the table `novelty` (item_id, bits); return the number of items, None for an empty warehouse.

    An item's novelty is -log2 of its share of all interactions, with add-one smoothing (Vargas and Castells
    2011).
    """
    rows, described = store.rows("interactions"), store.rows("items")
    if rows is None:
        connection.execute("CREATE TABLE novelty (item_id VARCHAR, bits DOUBLE)")
        return None
    known = f"SELECT item_id FROM {described} UNION" if described else ""
    connection.execute(
        f"""CREATE TABLE novelty AS
        WITH chosen AS (
            SELECT item_id, count(*) AS n FROM {rows}
            WHERE item_id IS NOT NULL AND event_type IS DISTINCT FROM '{IMPRESSION}' GROUP BY ALL
        ), catalog AS ({known} SELECT item_id FROM chosen)
        SELECT item_id, -log2((coalesce(n, 0) + 1) / (sum(coalesce(n, 0)) OVER () + count(*) OVER ())) AS bits
        FROM catalog LEFT JOIN chosen USING (item_id)"""
    )
    (items,) = connection.execute("SELECT count(*) FROM novelty").fetchall()[0]
    return int(items)


def load_segments(connection: DuckDBPyConnection, store: Warehouse) -> list[str]:
    """Create the table `segments` (user_id, attribute, label) for `answers`; return the attributes."""
    rows = store.rows("users")
    connection.execute("CREATE TABLE segments (user_id VARCHAR, attribute VARCHAR, label VARCHAR)")
    if rows is None:
        return []
    users = connection.sql(
        f"SELECT * EXCLUDE part FROM {rows} SEMI JOIN answers USING (user_id)"
    ).to_arrow_table()
    users = users.drop_columns([name for name in users.column_names if name in ("source_row", "part_1")])
    user_ids = users["user_id"].to_pylist()
    slices = split_by_attribute(users, user_ids)
    for attribute, masks in slices.items():
        for label, mask in masks.items():
            members = pa.table({"user_id": users["user_id"].filter(pa.array(mask))})
            connection.register("members", members)
            connection.execute("INSERT INTO segments SELECT user_id, ?, ? FROM members", [attribute, label])
    return [attribute for attribute, masks in slices.items() if masks]
