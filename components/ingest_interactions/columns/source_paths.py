"""Paths to the values of a file: a column, a field of a struct, or the elements of a list.

| path | value |
| --- | --- |
| `price` | the column price |
| `user.id` | the field id of the struct, map or JSON text in the column user |
| `items[].id` | the field id of each element of the list items; each element becomes a row |
| `date+time` | both texts with a blank between them |
| `userId|anonymousId` | the first one that has a value |
| `'purchase'` | the text itself |
"""

import itertools
import re
from dataclasses import dataclass
from typing import Final

from duckdb import DuckDBPyRelation
from duckdb.sqltypes import DuckDBPyType

from components.ingest_interactions.duckdb_session import literal, quote

MAX_DEPTH: Final = 4
_STEP: Final = re.compile(r"\[\]|[^.\[\]]+")


@dataclass(frozen=True)
class Source:
    """The columns of a relation, among them the elements of lists that were made rows, such as `items[]`.

    Before `explode`, a path into a list means its first element.
    """

    relation: DuckDBPyRelation

    def sql(self, path: str) -> str | None:
        """Return the expression of a path, None if the relation does not have it."""
        if path.startswith("'") and path.endswith("'") and len(path) > 1:
            return literal(path[1:-1])
        if self._field(path) is None:
            for separator, function in (("|", "coalesce({})"), ("+", "concat_ws(' ', {})")):
                if separator in path:
                    return self._combined(path.split(separator), separator, function)
        return self._field(path)

    def present(self, path: str) -> str:
        """Return the path without the alternatives that the relation does not have; "" for none."""
        if self._field(path) is not None:
            return path
        return "|".join(part for part in path.split("|") if self.sql(part) is not None)

    def _combined(self, parts: list[str], separator: str, function: str) -> str | None:
        found = [self.sql(part.strip()) for part in parts]
        present = [sql for sql in found if sql is not None]
        if not present or (separator == "+" and len(present) < len(found)):
            return None
        return function.format(", ".join(f"nullif(trim({sql}::VARCHAR), '')" for sql in present))

    def _field(self, path: str) -> str | None:
        names = {name.lower(): name for name in self.relation.columns}
        for column in sorted(names, key=len, reverse=True):
            if path.lower() == column:
                return quote(names[column])
            if path.lower().startswith((f"{column}.", f"{column}[]")):
                kind = self.relation.types[self.relation.columns.index(names[column])]
                return _descend(quote(names[column]), kind, _STEP.findall(path[len(column) :]))
        return None

    def leaves(self) -> dict[str, DuckDBPyType]:
        """Return path -> type of all values, those in structs and in lists of structs too."""
        leaves: dict[str, DuckDBPyType] = {}
        for column, kind in zip(self.relation.columns, self.relation.types, strict=True):
            _collect(column, kind, leaves)
        return leaves


def explode(relation: DuckDBPyRelation, paths: list[str]) -> DuckDBPyRelation:
    """Return the relation with a row for each element of the lists in `paths`, in columns such as `items[]`.

    A row whose list is empty or missing stays, with NULL.

    Raises:
        ValueError: a path leads into no list, or the paths need two lists that are not one in the other.
    """
    prefixes = sorted(
        {prefix for path in paths for prefix in lists(path)}, key=lambda path: (len(path), path)
    )
    for outer, inner in itertools.pairwise(prefixes):
        if not inner.startswith(outer):
            raise ValueError(f"{outer} and {inner} are two lists: rows can be made of one list alone")
    for prefix in prefixes:
        column = prefix.removesuffix("[]")
        sql = Source(relation).sql(column)
        if sql is None:
            raise ValueError(f"the file has no {column}")
        kind = str(relation.project(sql).types[0])
        if kind in ("JSON", "VARCHAR"):
            sql = f"CASE WHEN json_valid({sql}) THEN from_json({sql}, '[\"JSON\"]') END"
        elif not kind.endswith("]"):
            raise ValueError(f"{column} is no list: it has the type {kind}")
        elements = f"unnest(CASE WHEN len({sql}) > 0 THEN {sql} ELSE [NULL] END) AS {quote(prefix)}"
        relation = relation.project(f"*, {elements}")
    return relation


def lists(path: str) -> list[str]:
    """Return the lists of a path, outermost first: ["items[]"] for "items[].id"."""
    if path.startswith("'"):
        return []
    return [
        part[: match.end()]
        for part in re.split(r"[|+]", path)
        for match in re.finditer(r"\[\](?=\.|$)", part)
    ]


def _descend(sql: str, kind: DuckDBPyType, steps: list[str]) -> str | None:
    """Return the value below `sql`; None if its type has no such field. "[]" is the first element."""
    for position, step in enumerate(steps):
        if str(kind) in ("JSON", "VARCHAR"):
            keys = "".join("[0]" if key == "[]" else f".{quote(key)}" for key in steps[position:])
            return f"CASE WHEN json_valid({sql}) THEN json_extract_string({sql}, {literal('$' + keys)}) END"
        if step == "[]" and kind.id == "list":
            sql, kind = f"{sql}[1]", kind.children[0][1]
        elif kind.id == "map":
            sql, kind = f"{sql}[{literal(step)}]", dict(kind.children)["value"]
        elif kind.id == "struct" and (found := _struct_field(kind, step)):
            name, kind = found
            sql = f"struct_extract({sql}, {literal(name)})"
        else:
            return None
    return sql


def _struct_field(kind: DuckDBPyType, name: str) -> tuple[str, DuckDBPyType] | None:
    return next((field for field in kind.children if field[0].lower() == name.lower()), None)


def _collect(path: str, kind: DuckDBPyType, leaves: dict[str, DuckDBPyType], depth: int = 0) -> None:
    if depth < MAX_DEPTH and kind.id == "struct":
        for name, child in kind.children:
            _collect(f"{path}.{name}", child, leaves, depth + 1)
    elif depth < MAX_DEPTH and kind.id == "list" and kind.children[0][1].id == "struct":
        _collect(f"{path}[]", kind.children[0][1], leaves, depth + 1)
    else:
        leaves[path] = kind
