"""Numbers in text: with a decimal point or comma, and true or false."""

from typing import Final

from duckdb import DuckDBPyRelation

from components.ingest_interactions.columns.missing_values import cleaned

SAMPLE_ROWS: Final = 10_000


def number(relation: DuckDBPyRelation, column: str) -> tuple[str, str]:
    """Return SQL for the number in a cell, DOUBLE, and how it is written, "" for the usual way.

    Args:
        column: an SQL identifier.
    """
    kind = str(relation.select(column).types[0])
    if kind in ("FLOAT", "DOUBLE"):
        return f"{column}::DOUBLE", ""
    if kind not in ("VARCHAR", "JSON"):
        return f"{column}::DOUBLE", ""
    text = cleaned(f"{column}::VARCHAR")
    point = f"TRY_CAST({text} AS DOUBLE)"
    comma = f"TRY_CAST(replace(replace({text}, '.', ''), ',', '.') AS DOUBLE)"
    truth = f"CASE lower({text}) WHEN 'true' THEN 1.0 WHEN 'false' THEN 0.0 END"
    sample = relation.filter(f"{column} IS NOT NULL").limit(SAMPLE_ROWS)
    ways = {"": point, "numbers with a decimal comma": comma, "1 for true, 0 for false": truth}
    counts = sample.aggregate(", ".join(f"count({sql})" for sql in ways.values())).fetchall()[0]
    best = max(range(len(ways)), key=lambda way: (counts[way], -way))
    return list(ways.values())[best], list(ways)[best]
