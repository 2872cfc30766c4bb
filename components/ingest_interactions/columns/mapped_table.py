"""The table of a file with the contract's columns, not yet converted to the contract's types."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from duckdb import DuckDBPyRelation
from duckdb.sqltypes import DuckDBPyType

from components.ingest_interactions.columns.column_mapping import ROW, ColumnMapping, find_columns
from components.ingest_interactions.columns.missing_values import cleaned
from components.ingest_interactions.columns.source_paths import Source
from components.ingest_interactions.columns.usual_names import ROW_NUMBERS, normalized, without_type
from components.ingest_interactions.duckdb_session import literal, quote
from components.ingest_interactions.times.time_options import TimeOptions
from components.ingest_interactions.times.timestamp_format import NO_OPTIONS
from feature_repo.counts import counted
from feature_repo.event_types import KNOWN, RATE, canonical_event_type

# Names of files that are known event types, but usually mean something else.
NO_EVENT_NAMES: Final = frozenset({"report", "open", "close", "block", "search", "stop", RATE})
NESTED: Final = ("struct", "map", "union", "blob")
SHOWN: Final = 20
# The warehouse's own column beside the ROW: a column of the file with this name gets another one.
PART: Final = "part"
EVENT_OF_NAME: Final = "every row is a {!r}, by the file's name (for a view: --columns \"'view'=event_type\")"


@dataclass(frozen=True)
class MappedTable:
    """A table with unconverted cells under the contract's names.

    Attributes:
        relation: the columns of the contract that the file has, `source_row`, and for items and users the
            file's other columns.
        name: the file's name, for messages.
        ignored: columns of the file that are not used.
        notes: what was assumed or left out, one sentence each, to be told to the user.
        times: how the file writes times.
    """

    relation: DuckDBPyRelation
    table: str
    name: str
    mapping: ColumnMapping
    ignored: tuple[str, ...]
    notes: tuple[str, ...]
    times: TimeOptions = NO_OPTIONS

    @property
    def description(self) -> list[str]:
        """Lines that tell the user what was understood."""
        layout = self.mapping.layout
        lines = [f"layout: {layout.name}"] if layout else []
        more = f" and {len(self.ignored) - SHOWN} more" if len(self.ignored) > SHOWN else ""
        unused = f"; not used: {', '.join(self.ignored[:SHOWN])}{more}" if self.ignored else ""
        kept = [
            name for name in self.relation.columns if name not in (ROW, *self.mapping.paths, "event_type")
        ]
        further = f"; further columns: {', '.join(kept)}" if kept else ""
        return [*lines, f"columns: {self.mapping.text}{further}{unused}", *self.notes]


def map_table(
    relation: DuckDBPyRelation,
    table: str,
    name: str,
    given: Mapping[str, str] | None = None,
    has_names: bool = True,
    times: TimeOptions = NO_OPTIONS,
) -> MappedTable:
    """Find the columns, and return the table with the contract's names; see find_columns.

    Raises:
        StepError: a required column is not found, or columns compete for one.
    """
    given = given or {}
    relation, mapping = find_columns(relation, table, name, given, has_names)
    source = Source(relation)
    cells = {target: _cell(source, target, path, mapping) for target, path in mapping.paths.items()}
    notes = list(mapping.layout.notes) if mapping.layout else []
    if table == "interactions" and not {"event_type", "value"} & cells.keys():
        event = event_of_name(name)
        cells |= {"event_type": literal(event)} if event else {}
        notes += [EVENT_OF_NAME.format(event)] if event else []
    used = {part for path in mapping.paths.values() for part in re.split(r"[|+]", path)}
    others = [column for column in relation.columns if column != ROW and not _is_used(column, used)]
    extra = {} if table == "interactions" else _extra(source, others, given, mapping)
    columns = [quote(ROW), *(f"{sql} AS {quote(name)}" for name, sql in {**cells, **extra}.items())]
    arranged = relation.project(", ".join(columns))
    if mapping.layout and mapping.layout.needs_item:
        has_item = " OR ".join(
            f"{cleaned(f'{quote(column)}::VARCHAR')} IS NOT NULL"
            for column in ("item_id", "query")
            if column in arranged.columns
        )
        notes += _rows_without_item(arranged.filter(f"NOT ({has_item})"))
        arranged = arranged.filter(has_item)
    ignored = tuple(column for column in others if not {extra_name(column), column} & extra.keys())
    return MappedTable(arranged, table, name, mapping, ignored, tuple(notes), times)


def event_of_name(name: str) -> str | None:
    """Return "click" for a file called clicks.csv or shop_clicks.parquet; None for other names."""
    words = re.findall(r"[a-z]+", PurePosixPath(name).name.lower().split(".")[0])
    if not words or not words[-1].endswith("s"):
        return None
    event = canonical_event_type(words[-1].removesuffix("s"))
    return event if event in KNOWN and event not in NO_EVENT_NAMES else None


def _cell(source: Source, target: str, path: str, mapping: ColumnMapping) -> str:
    sql = source.sql(path)
    assert sql is not None
    if str(source.relation.project(sql).types[0]) == "JSON":
        sql = f"json_extract_string({sql}, '$')"
    if target != "event_type" or not (mapping.layout and mapping.layout.event_types):
        return sql
    spelling = f"regexp_replace(lower({sql}), '[\\s_-]+', '', 'g')"
    cases = " ".join(
        f"WHEN {literal(known)} THEN {literal(meaning)}"
        for known, meaning in mapping.layout.event_types.items()
    )
    return f"CASE {spelling} {cases} ELSE {sql} END"


def _is_used(column: str, used: set[str]) -> bool:
    name = column.lower()
    return name.endswith("[]") or any(
        path.lower() == name or path.lower().startswith((f"{name}.", f"{name}[]")) for path in used
    )


def _extra(
    source: Source, others: list[str], given: Mapping[str, str], mapping: ColumnMapping
) -> dict[str, str]:
    """Return name -> expression of the other columns of items or users; nested ones are left out."""
    kept = mapping.layout.extra if mapping.layout else None
    if kept is not None:
        return {
            extra_name(name): sql for name in kept if name in others and (sql := source.sql(name)) is not None
        }
    types = dict(zip(source.relation.columns, source.relation.types, strict=True))
    return {
        extra_name(column): _float_sequence(column)
        for column in others
        if column not in given
        and normalized(column) not in ROW_NUMBERS
        and without_type(column) not in mapping.paths
        and not _is_nested(types[column])
    }


def extra_name(column: str) -> str:
    """Return the name in the warehouse of a column that is not in the contract."""
    name = without_type(column)
    return f"{name}_" if name.lower() == PART else name


def _float_sequence(column: str) -> str:
    """Return the numbers of a RecBole column of floats, such as an embedding; another column as it is."""
    if not column.endswith(":float_seq"):
        return quote(column)
    return f"TRY_CAST(string_split(trim({quote(column)}), ' ') AS FLOAT[])"


def _is_nested(kind: DuckDBPyType) -> bool:
    return kind.id in NESTED or (kind.id == "list" and kind.children[0][1].id in (*NESTED, "list"))


def _rows_without_item(relation: DuckDBPyRelation) -> list[str]:
    groups = (
        relation.aggregate("event_type::VARCHAR AS event, count(*) AS number", "event_type")
        .order("number DESC, event")
        .fetchall()
    )
    if not groups:
        return []
    shown = ", ".join(f"{event} {number:,}" for event, number in groups[:5])
    total = sum(number for _, number in groups)
    more = f" and {len(groups) - 5} more types" if len(groups) > 5 else ""
    return [f"{counted(total, 'event')} without an item left out ({shown}{more})"]
