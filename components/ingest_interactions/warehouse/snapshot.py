"""Writes all ingested rows to three Parquet files for the next steps.

- *order*: interactions are ordered by user, time and interaction id, whatever the order of the sources.
  Equal times of a user stay equal: nothing is known about the order inside such a step.
- *newest wins*: if several sources describe an interaction, item or user, the last ingested one counts.
"""

from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from duckdb import DuckDBPyConnection

from components.errors import StepError
from components.ingest_interactions.duckdb_session import file_list, literal
from components.ingest_interactions.warehouse.manifest import Warehouse
from components.ingest_interactions.warehouse.parts import LOG
from feature_repo.atomic_files import atomic_file
from feature_repo.event_types import IMPRESSION
from feature_repo.table_schemas import INTERACTIONS, ITEMS, USERS

# The contract's columns, all nullable: validation quarantines rows with missing values. A part's number says
# when its rows arrived.
SNAPSHOT: Final = pa.schema(
    [*(field.with_nullable(True) for field in INTERACTIONS), pa.field("part", pa.int64())]
)
BATCH_ROWS: Final = 1_000_000
BOOKKEEPING: Final = ("part", "source_row")

# Days on which users chose an item that no table describes.
MIN_DAYS: Final = 2


def write_interactions(
    connection: DuckDBPyConnection, warehouse: Warehouse, file: Path, event_type: str = "event_type"
) -> int:
    """Write all interactions, ordered by user, time and id; return their number.

    Rows with one id but different users or items stay: validation quarantines them.

    Args:
        event_type: SQL of the column event_type.

    Raises:
        StepError: the warehouse has no interactions.
    """
    rows = warehouse.rows("interactions")
    if rows is None:
        raise StepError(
            f"the warehouse {warehouse.root} has no interactions yet: choose a data set (--dataset, see "
            "`penchant data`) or a file (--interactions FILE)"
        )
    ordered = f"""
        SELECT * REPLACE ({event_type} AS event_type) FROM {rows}
        ORDER BY user_id, "timestamp", interaction_id, item_id
    """
    batches = connection.sql(ordered).to_arrow_reader(BATCH_ROWS)
    written, dictionary = 0, ["user_id", "item_id", "event_type"]
    with atomic_file(file) as staged, pq.ParquetWriter(staged, SNAPSHOT, use_dictionary=dictionary) as writer:
        for batch in batches:
            writer.write_batch(batch.select(SNAPSHOT.names).cast(SNAPSHOT))
            written += len(batch)
    return written


def write_items(
    connection: DuckDBPyConnection, warehouse: Warehouse, interactions: Path, file: Path, min_users: int
) -> tuple[int, int]:
    """Write one row for each item of the item tables or the interactions, ordered by id.

    An item without a domain gets the alphabetically first domain of its interactions. An unknown item (see
    _find_unknown) is never available, so that it is not recommended.

    Returns:
        The number of items, and of unknown ones.
    """
    unknown = _find_unknown(connection, warehouse, interactions, min_users)
    described = _described(connection, warehouse, "items", interactions, ITEMS)
    never = "0::BIGINT" if warehouse.listed("items") else "make_timestamptz(0)"
    query = f"""
        SELECT described.* REPLACE (
            coalesce(described.domain, seen.domain) AS domain,
            CASE WHEN item_id IN (FROM unknown_items) THEN {never} ELSE available_until END AS available_until
        )
        FROM ({described}) AS described LEFT JOIN (
            SELECT item_id, min(domain) AS domain
            FROM read_parquet({file_list([interactions])}) GROUP BY item_id
        ) AS seen USING (item_id) ORDER BY item_id
    """
    return _write(_arrange(connection.sql(query).to_arrow_table(), ITEMS), file), unknown


def _find_unknown(
    connection: DuckDBPyConnection, warehouse: Warehouse, interactions: Path, min_users: int
) -> int:
    """Create the table `unknown_items`: ids that anybody could have made up; return their number.

    They are in no item table, and fewer than `min_users` users chose them, or all of them on fewer than
    MIN_DAYS days. Without any item table, the items of files and data sets are known.
    """
    items = warehouse.scan(warehouse.listed("items"))
    trusted = [] if items else [p.number for p in warehouse.listed("interactions") if p.source != LOG]
    chosen = f"FILTER (event_type IS DISTINCT FROM {literal(IMPRESSION)})"
    described = f"ANTI JOIN {items} AS described USING (item_id)" if items else ""
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE unknown_items AS
        SELECT item_id FROM read_parquet({file_list([interactions])}) AS seen {described}
        WHERE item_id IS NOT NULL GROUP BY item_id HAVING {min_users} > 0
            AND NOT bool_or(list_contains({trusted}::BIGINT[], part))
            AND (count(DISTINCT user_id) {chosen} < {min_users}
                OR count(DISTINCT "timestamp"::DATE) {chosen} < {MIN_DAYS})
        """
    )
    return int(connection.execute("SELECT count(*) FROM unknown_items").fetchall()[0][0])


def write_users(connection: DuckDBPyConnection, warehouse: Warehouse, interactions: Path, file: Path) -> int:
    """Write one row for each user of the user tables or the interactions, ordered by id; return their number.

    A text attribute becomes a number if all values are numbers without leading zeros.
    """
    query = f"{_described(connection, warehouse, 'users', interactions, USERS)} ORDER BY user_id"
    table = _arrange(connection.sql(query).to_arrow_table(), USERS)
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
    """Return SQL for the newest row of each id, and a row of nulls for an id that only interactions have."""
    key = schema.names[0]
    connection.register("no_rows", schema.append(pa.field("part", pa.int64())).empty_table())
    newest = f"FROM {warehouse.rows(table) or 'no_rows'}"
    seen = f"SELECT DISTINCT {key} FROM read_parquet({file_list([interactions])}) WHERE {key} IS NOT NULL"
    return f"SELECT * FROM ({newest}) FULL JOIN ({seen}) USING ({key})"


def _arrange(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Put the contract's columns first, in its types, then the extra ones."""
    extra = [name for name in table.column_names if name not in {*schema.names, *BOOKKEEPING}]
    fields = [*schema, *(table.schema.field(name) for name in extra)]
    return table.select([*schema.names, *extra]).cast(pa.schema(fields))


def _is_numeric(column: pa.ChunkedArray) -> bool:
    filled = column.drop_null()
    return bool(len(filled)) and pc.all(pc.match_substring_regex(filled, r"^-?(0|[1-9]\d*)(\.\d+)?$")).as_py()


def _write(table: pa.Table, file: Path) -> int:
    with atomic_file(file) as staged:
        pq.write_table(table, staged)
    return len(table)
