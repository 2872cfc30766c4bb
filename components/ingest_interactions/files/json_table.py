"""Reads the objects of a JSON file as a table; all values are text, in nested columns too."""

import json
from pathlib import Path
from typing import Any, Final

from duckdb import DuckDBPyConnection

from components.errors import StepError
from components.ingest_interactions.duckdb_session import literal, quote
from components.ingest_interactions.files import json_objects
from components.ingest_interactions.files.delimited import Scan
from components.ingest_interactions.files.header import ROW
from components.ingest_interactions.files.staging import Staging

# A nested object with more keys is a dictionary, not a record: its JSON text is kept.
MOST_KEYS: Final = 200


def scan(connection: DuckDBPyConnection, path: Path, name: str, staging: Staging) -> tuple[Scan, str]:
    """Return a scan of one UTF-8 file, and what kind of JSON it is.

    Raises:
        StepError: the JSON is damaged, or its values are no objects with names.
    """
    objects = json_objects.find(connection, path, name, staging)
    # All rows, not a sample: a key of the last row is a column too.
    rows, found = connection.execute(
        f"SELECT count(*), json_group_structure(json)::VARCHAR FROM ({objects.sql})"
    ).fetchall()[0]
    structure = json.loads(found) if rows else {}
    if not isinstance(structure, dict) or (rows and not structure):
        raise StepError(f"{name}: the JSON objects have no keys; {json_objects.EXPECTED}")
    lower = [key.lower() for key in structure]
    if repeated := [key for key in structure if lower.count(key.lower()) > 1]:
        raise StepError(
            f"{name}: the keys {', '.join(repeated)} differ only by case; expected different names"
        )
    types = {column: _text(kind) for column, kind in structure.items() if column.lower() != ROW}
    dictionaries = [column for column in types if _is_dictionary(structure[column])]
    notes = [f"{column}: kept as JSON text, because it has many keys" for column in dictionaries]
    columns = ", ".join(f"fields[{literal(column)}] AS {quote(column)}" for column in types)
    fields = f"SELECT json_transform(json, {literal(json.dumps(types))}) AS fields FROM ({objects.sql})"
    return Scan(f"SELECT {columns} FROM ({fields})", rows, objects.notes + notes), objects.kind


def _text(kind: Any) -> Any:
    """Replace the types of values by text, and so the type of a dictionary too."""
    if isinstance(kind, list):
        return [_text(kind[0])] if kind else ["VARCHAR"]
    if isinstance(kind, dict) and kind and not _is_dictionary(kind):
        return {key: _text(inner) for key, inner in kind.items()}
    return "VARCHAR"


def _is_dictionary(kind: Any) -> bool:
    if not isinstance(kind, dict):
        return False
    return len(kind) > MOST_KEYS or len({key.lower() for key in kind}) < len(kind)
