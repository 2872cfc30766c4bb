"""Reports how well the items and users tables fit the interactions."""

from pathlib import Path
from typing import Final

from duckdb import DuckDBPyConnection

from components.ingest_interactions.duckdb_session import file_list
from components.ingest_interactions.warehouse.manifest import Warehouse
from components.progress import report

KEYS: Final = {"items": "item_id", "users": "user_id"}
SHOWN: Final = 3

# Ids of the interactions that the table lacks, and ids of the table that no interaction has.
UNMATCHED: Final = """
    CREATE OR REPLACE TEMP TABLE {name} AS SELECT DISTINCT {key} AS id, {plain} AS plain
    FROM {source} WHERE {key} IS NOT NULL AND {key} NOT IN (SELECT {key} FROM {other} WHERE {key} IS NOT NULL)
"""
# Without case, blanks, leading zeros and a fraction of zeros.
PLAIN: Final = r"lower(regexp_replace(regexp_replace({key}, '\s', '', 'g'), '^0+(.)|[.]0+$', '\1', 'g'))"
ALIKE: Final = """
    SELECT seen.id, described.id
    FROM unmatched_seen AS seen JOIN unmatched_described AS described USING (plain)
    ORDER BY 1, 2
"""
WITHOUT: Final = {
    "title": "answers and reasons show ids instead",
    "categories": "there are no category filters, no diversity and no reasons by category",
}


def report_catalog(connection: DuckDBPyConnection, store: Warehouse, interactions: Path) -> None:
    """Report ids that only one side has, ids that differ in their spelling, and what no item has.

    Args:
        interactions: Parquet file with all interactions.
    """
    for table, key in KEYS.items():
        if described := store.parts(table):
            _report_ids(connection, table, key, described, interactions)
    if items := store.parts("items"):
        _report_lacks(connection, items)


def _report_ids(
    connection: DuckDBPyConnection, table: str, key: str, described: str, interactions: Path
) -> None:
    seen, plain = f"read_parquet({file_list([interactions])})", PLAIN.format(key=key)
    for name, source, other in (("seen", seen, described), ("described", described, seen)):
        connection.execute(
            UNMATCHED.format(name=f"unmatched_{name}", key=key, plain=plain, source=source, other=other)
        )
    ((missing, shown),) = connection.execute(
        f"SELECT count(*), list(id ORDER BY id)[:{SHOWN}] FROM unmatched_seen"
    ).fetchall()
    if not missing:
        return
    ((total,),) = connection.execute(f"SELECT count(DISTINCT {key}) FROM {seen}").fetchall()
    examples = ", ".join(map(repr, shown))
    report(f"{table}: {missing:,} of {total:,} in the interactions are not in the {table} table ({examples})")
    if alike := connection.execute(ALIKE).fetchall():
        ours, theirs = (", ".join(repr(pair[side]) for pair in alike[:SHOWN]) for side in (0, 1))
        report(
            f"{table}: {len(alike):,} of these ids are in the {table} table with other blanks, case or "
            f"leading zeros: interactions have {ours}, the {table} table has {theirs}. They count as "
            f"different {table}: write them alike in one of the files"
        )


def _report_lacks(connection: DuckDBPyConnection, items: str) -> None:
    ((titles, categories),) = connection.execute(
        f"SELECT count(title), count(*) FILTER (len(categories) > 0) FROM {items}"
    ).fetchall()
    for column, filled in (("title", titles), ("categories", categories)):
        if not filled:
            report(f"items: no item has {column}: {WITHOUT[column]}")
