"""Figures of a file of items or users, from the table `conformed`."""

from typing import Final

from duckdb import DuckDBPyConnection

from components.ingest_interactions.columns.column_mapping import REQUIRED, ROW
from components.ingest_interactions.duckdb_session import quote
from feature_repo.counts import counted

SHOWN: Final = 8
# What an items file is expected to have -> what is lost without it.
PROMISED: Final = {
    "title": "answers and reasons then show ids",
    "categories": "category filters, diversity and reasons by category are off",
}


def catalog_figures(connection: DuckDBPyConnection, table: str) -> tuple[dict[str, str], list[str]]:
    """Return name -> text, and what the table lacks, a line each."""
    key = REQUIRED[table][0]
    rows, ids, missing = connection.execute(
        f"SELECT count(*), count(DISTINCT {key}), count(*) - count({key}) FROM conformed"
    ).fetchall()[0]
    figures = {"rows": f"{rows:,}", table: f"{ids:,}"}
    lacks = []
    if missing:
        lacks.append(f"{counted(missing, 'row')} without {key}: a run stops at the first one")
    if rows - missing > ids:
        figures["repeated"] = f"{rows - missing - ids:,}: rows of a known {key}; the last one counts"
    columns = connection.table("conformed").columns
    for column in (column for column in columns if column not in (ROW, key)):
        filled, distinct = _filled(connection, column)
        if filled:
            figures[column] = f"{filled / rows:.0%} have one; {distinct:,} different"
        elif table == "items" and column in PROMISED:
            lacks.append(f"no item has {column}: {PROMISED[column]}")
    if "categories" in figures:
        figures["most frequent categories"] = _frequent_categories(connection)
    return figures, lacks


def _filled(connection: DuckDBPyConnection, column: str) -> tuple[int, int]:
    identifier = quote(column)
    has_value = "len(categories) > 0" if column == "categories" else f"{identifier} IS NOT NULL"
    distinct = f"approx_count_distinct({identifier}) FILTER ({has_value})"
    filled, different = connection.execute(
        f"SELECT count(*) FILTER ({has_value}), {distinct} FROM conformed"
    ).fetchall()[0]
    return int(filled), int(different)


def _frequent_categories(connection: DuckDBPyConnection) -> str:
    counted = connection.execute(
        "SELECT category, count(*) AS items FROM (SELECT unnest(categories) AS category FROM conformed) "
        f"GROUP BY category ORDER BY items DESC, category LIMIT {SHOWN}"
    ).fetchall()
    return ", ".join(f"{category} ({items:,})" for category, items in counted)
