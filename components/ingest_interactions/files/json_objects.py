"""Finds the objects of a JSON file: one a line, in an array, or in an array that is in one object."""

import ast
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from duckdb import DuckDBPyConnection

from components.errors import StepError
from components.ingest_interactions.duckdb_session import file_list, literal
from components.ingest_interactions.files.rejected_lines import HIGHEST_SHARE
from components.ingest_interactions.files.staging import Staging

HEAD: Final = 1 << 16
LARGEST_OBJECT: Final = 1 << 30
EXPECTED: Final = 'expected one object for each row, such as {"user_id": "7", "item_id": "12"}'
# The first elements of the values of one object: whether it wraps a list of rows.
WRAPPED: Final = "SELECT key, type, json_type(json_extract(value, '$[0]')) FROM {source}, json_each(json)"


@dataclass(frozen=True)
class JsonObjects:
    """`sql` yields one column `json`; `kind` says what kind of JSON the file is."""

    sql: str
    kind: str
    notes: list[str]


def is_json(path: Path) -> bool:
    """Return whether a UTF-8 file begins like JSON: with an object, a list, or a list of objects."""
    head = _head(path)
    return bool(re.match(r"""\{\s*(["'}]|u')|\[\s*(\{|\]|$)""", head)) or _parses_as(
        head.split("\n")[0], list
    )


def find(connection: DuckDBPyConnection, path: Path, name: str, staging: Staging) -> JsonObjects:
    """Return the objects of a UTF-8 file.

    Raises:
        StepError: the JSON is damaged, or its values are no objects.
    """
    line, _, rest = _head(path).partition("\n")
    if re.match(r"\{\s*(u?'|u\")", line):
        objects, notes = _lines(connection, _from_python(path, staging, name), name)
        return JsonObjects(objects, "Python objects", ["the lines are Python objects, not JSON", *notes])
    if line.startswith("[") and not (rest and _parses_as(line, list)):
        return JsonObjects(_array(connection, path, name), "JSON array", [])
    source = _reader(path, "unstructured", "")
    if not (rest and (_parses_as(line, dict) or _parses_as(line, list))) and len(line) < HEAD:
        objects, key = _values(connection, source, name, is_one_line=not rest)
        return JsonObjects(objects, f"JSON, the rows are in {key!r}" if key else "JSON", [])
    objects, notes = _lines(connection, path, name)
    return JsonObjects(objects, "JSON lines", notes)


def _head(path: Path) -> str:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return file.read(HEAD).strip()


def _parses_as(text: str, kind: type) -> bool:
    try:
        return isinstance(json.loads(text), kind)
    except ValueError:
        return False


def _reader(path: Path, layout: str, more: str) -> str:
    largest = max(1 << 24, min(path.stat().st_size + 1, LARGEST_OBJECT))
    return (
        f"read_json_objects({file_list([path])}, format = '{layout}', compression = 'none', "
        f"maximum_object_size = {largest}{more})"
    )


def _lines(connection: DuckDBPyConnection, path: Path, name: str) -> tuple[str, list[str]]:
    """Return a query for the objects, and a sentence about the lines that are none."""
    source = _reader(path, "newline_delimited", ", ignore_errors = true")
    is_object = "json_type(json) = 'OBJECT'"
    good, every = connection.execute(
        f"SELECT count(*) FILTER ({is_object}), count(*) FROM {source}"
    ).fetchall()[0]
    objects = f"SELECT json FROM {source} WHERE {is_object}"
    if good == every:
        return objects, []
    what = f"{every - good:,} of {every:,} lines are no JSON object: {_first_bad_line(path)}"
    if every - good > HIGHEST_SHARE * every:
        raise StepError(f"{name}: {what}; {EXPECTED}")
    return objects, [f"{what}; they are left out"]


def _first_bad_line(path: Path) -> str:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if line.strip() and not _parses_as(line, dict):
                return f"line {number} is {line.strip()[:80]!r}"
    return "one of them is damaged"


def _array(connection: DuckDBPyConnection, path: Path, name: str) -> str:
    source = _reader(path, "array", "")
    kinds = [
        kind for (kind,) in connection.execute(f"SELECT DISTINCT json_type(json) FROM {source}").fetchall()
    ]
    if not kinds:
        raise StepError(f"{name}: no rows; the JSON array is empty")
    if kinds != ["OBJECT"]:
        raise StepError(f"{name}: the JSON array holds {', '.join(map(str.lower, kinds))}s; {EXPECTED}")
    return f"SELECT json FROM {source}"


def _values(connection: DuckDBPyConnection, source: str, name: str, is_one_line: bool) -> tuple[str, str]:
    """Return a query for the rows, and the key under which they are if one object is around them."""
    count, kind = connection.execute(f"SELECT count(*), min(json_type(json)) FROM {source}").fetchall()[0]
    if count != 1 or kind != "OBJECT":
        return f"SELECT json FROM {source} WHERE json_type(json) = 'OBJECT'", ""
    keys = connection.execute(WRAPPED.format(source=source)).fetchall()
    lists = [key for key, kind, first in keys if kind == "ARRAY" and first == "OBJECT"]
    # One line with other keys may be a session with its list of events.
    if len(lists) == 1 and (len(keys) == 1 or not is_one_line):
        path = literal(f'$."{lists[0]}"')
        return (
            f"SELECT unnest(from_json(json_extract(json, {path}), '[\"JSON\"]')) AS json FROM {source}",
            lists[0],
        )
    if len(keys) > 1 and all(kind in ("OBJECT", "ARRAY") for _, kind, _ in keys):
        shown = ", ".join(key for key, _, _ in keys[:5])
        raise StepError(
            f"{name}: one JSON object with {len(keys)} keys ({shown}); {EXPECTED} "
            "(with pandas: to_json(orient='records', lines=True))"
        )
    return f"SELECT json FROM {source}", ""


def _from_python(path: Path, staging: Staging, name: str) -> Path:
    """Write lines of Python objects, as some public data sets have them, as JSON lines."""
    target = staging.new()
    with path.open(encoding="utf-8-sig") as source, target.open("w", encoding="utf-8") as file:
        for number, line in enumerate(source, 1):
            if not line.strip():
                continue
            try:
                file.write(json.dumps(ast.literal_eval(line.strip())) + "\n")
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
                raise StepError(
                    f"{name}: line {number} is neither JSON nor a Python object: {line.strip()[:80]!r}"
                ) from error
    return target
