"""Everything ingested so far as three Parquet files that the next steps read.

- *strict order*: a user's interactions at the same time (or overtaken by it) are spread by 1 µs each, in the
  order their sources gave them, so that "strictly before" is exact.
- *newest wins*: of several sources about one item or user the one ingested last holds.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from duckdb import DuckDBPyConnection

from components.errors import StepError
from components.ingest_interactions.session import literal
from components.ingest_interactions.warehouse import Warehouse
from feature_repo.atomic_files import atomic_file
from feature_repo.contract import INTERACTIONS, ITEMS, TIMESTAMP, USERS

# The contract's columns; what is missing may be null, for validation to set aside.
SNAPSHOT: Final = pa.schema([field.with_nullable(True) for field in INTERACTIONS])
BATCH_ROWS: Final = 1_000_000
BOOKKEEPING: Final = ("part", "source_row")


def write_interactions(connection: DuckDBPyConnection, warehouse: Warehouse, file: Path) -> int:
    """All interactions by (user, time, id) in the contract's columns; returns how many.

    An id given twice for another user or item stays in: validation sets such rows aside.

    Raises:
        StepError: there is none yet.
    """
    parts = warehouse.parts("interactions")
    if parts is None:
        raise StepError(
            f"no interactions in {warehouse.root} yet: name a data set (--dataset, see `penchant data`) "
            "or give a file (--interactions FILE)"
        )
    # One sort, then a stream: window functions over the same order took three times the CPU time.
    ordered = f'SELECT * FROM {parts} ORDER BY user_id, "timestamp", part, source_row'
    batches = connection.sql(ordered).to_arrow_reader(BATCH_ROWS)
    rows, dictionary = 0, ["user_id", "item_id", "event_type"]
    with atomic_file(file) as staged, pq.ParquetWriter(staged, SNAPSHOT, use_dictionary=dictionary) as writer:
        for batch in strictly_ordered(batches):
            writer.write_batch(batch)
            rows += len(batch)
    return rows


def strictly_ordered(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Each time of a user at least the one before plus 1 µs.

    Args:
        batches: sorted by user and time (int64 µs, nulls last); times grow only where they must.
    """
    last_user, last_time, start = None, 0, 0
    for batch in batches:
        users = batch.column("user_id")
        changed = pc.not_equal(users.slice(1).fill_null(""), users.slice(0, len(users) - 1).fill_null(""))
        groups = np.concatenate([[0], np.cumsum(changed.to_numpy(zero_copy_only=False))])
        times = batch.column("timestamp")
        # The running maximum of (time - position), plus position.
        positions = np.arange(start, start + len(batch))
        slack = times.fill_null(0).to_numpy() - positions
        if users[0] == last_user:
            slack[0] = max(slack[0], last_time + 1 - start)
        spread = pd.Series(slack).groupby(groups).cummax().to_numpy() + positions
        last_user, last_time, start = users[-1], int(spread[-1]), start + len(batch)
        strict = pa.array(spread, mask=times.is_null().to_numpy(zero_copy_only=False)).cast(TIMESTAMP)
        columns = [strict if name == "timestamp" else batch.column(name) for name in SNAPSHOT.names]
        yield pa.RecordBatch.from_arrays(columns, schema=SNAPSHOT)


def write_items(connection: DuckDBPyConnection, warehouse: Warehouse, interactions: Path, file: Path) -> int:
    """One row an item, known from a table or from any interaction, by item id; returns how many.

    An item without a domain has the first that its interactions name.
    """
    described = _described(connection, warehouse, "items", interactions, ITEMS)
    query = f"""
        SELECT described.* REPLACE (coalesce(described.domain, seen.domain) AS domain)
        FROM ({described}) AS described LEFT JOIN (
            SELECT item_id, min(domain) AS domain
            FROM read_parquet({literal(str(interactions))}) GROUP BY item_id
        ) AS seen USING (item_id) ORDER BY item_id
    """
    return _write(_arranged(connection.sql(query).to_arrow_table(), ITEMS), file)


def write_users(connection: DuckDBPyConnection, warehouse: Warehouse, interactions: Path, file: Path) -> int:
    """One row a user, known from a table or from any interaction, by user id; returns how many.

    A text attribute whose every value is a number, none with a leading zero, counts as numbers.
    """
    query = f"{_described(connection, warehouse, 'users', interactions, USERS)} ORDER BY user_id"
    table = _arranged(connection.sql(query).to_arrow_table(), USERS)
    for position, field in enumerate(table.schema):
        if (
            pa.types.is_string(field.type)
            and field.name not in USERS.names
            and _is_numeric(table[field.name])
        ):
            table = table.set_column(position, field.name, table[field.name].cast(pa.float64()))
    return _write(table, file)


def _described(
    connection: DuckDBPyConnection, warehouse: Warehouse, table: str, interactions: Path, schema: pa.Schema
) -> str:
    """SQL for the newest row of each key, and a row of nulls for a key that only interactions name."""
    key = schema.names[0]
    connection.register("nothing", schema.append(pa.field("part", pa.int64())).empty_table())
    rows = warehouse.parts(table) or "nothing"
    newest = f"SELECT * FROM {rows} QUALIFY part = max(part) OVER (PARTITION BY {key})"
    seen = f"SELECT DISTINCT {key} FROM read_parquet({literal(str(interactions))}) WHERE {key} IS NOT NULL"
    return f"SELECT * FROM ({newest}) FULL JOIN ({seen}) USING ({key})"


def _arranged(found: pa.Table, schema: pa.Schema) -> pa.Table:
    """The contract's columns first, in its types, then the further ones."""
    further = [name for name in found.column_names if name not in {*schema.names, *BOOKKEEPING}]
    fields = [*schema, *(found.schema.field(name) for name in further)]
    return found.select([*schema.names, *further]).cast(pa.schema(fields))


def _is_numeric(column: pa.ChunkedArray) -> bool:
    filled = column.drop_null()
    return bool(len(filled)) and pc.all(pc.match_substring_regex(filled, r"^-?(0|[1-9]\d*)(\.\d+)?$")).as_py()


def _write(table: pa.Table, file: Path) -> int:
    with atomic_file(file) as staged:
        pq.write_table(table, staged)
    return len(table)
