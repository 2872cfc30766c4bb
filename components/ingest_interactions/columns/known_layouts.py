"""Layouts of public data sets and of the exports of other systems, read from layouts.toml."""

import re
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final, Literal

from duckdb import DuckDBPyRelation
from pydantic import BaseModel, ConfigDict

from components.ingest_interactions.columns.source_paths import Source
from components.ingest_interactions.duckdb_session import quote

FILE: Final = Path(__file__).with_name("layouts.toml")
SAMPLE_ROWS: Final = 100


class Layout(BaseModel):
    """A layout; the comments of layouts.toml explain the fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    table: Literal["interactions", "items", "users"]
    columns: dict[str, str] = {}
    has: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()
    width: int = 0
    file: str = ""
    query: str = ""
    event_types: dict[str, str] = {}
    extra: tuple[str, ...] | None = None
    category_separator: str = ""
    notes: tuple[str, ...] = ()
    needs_item: bool = False

    def matches_names(self, relation: DuckDBPyRelation, file_name: str) -> bool:
        """Return whether a file with a header, or with named fields, has this layout."""
        source = Source(relation)
        return (
            bool(self.has)
            and re.search(self.file, file_name) is not None
            and all(re.split(r"[.\[]", path)[0] in relation.columns for path in self.has)
            and all(source.sql(path) is not None for path in self.has)
        )

    def matches_cells(self, rows: Sequence[Sequence[object]], file_name: str) -> bool:
        """Return whether the first rows of a file without a header have this layout."""
        return (
            bool(self.cells)
            and re.search(self.file, file_name) is not None
            and all(len(row) == (self.width or len(self.cells)) for row in rows)
            and all(
                re.fullmatch(pattern, "" if cell is None else str(cell), re.DOTALL) is not None
                for row in rows
                for pattern, cell in zip(self.cells, row, strict=False)
            )
        )


@cache
def layouts() -> tuple[Layout, ...]:
    """Return all layouts, in the order in which they are tried."""
    tables = tomllib.loads(FILE.read_text(encoding="utf-8"))["layout"]
    return tuple(Layout.model_validate(table) for table in tables)


def find_layout(
    relation: DuckDBPyRelation, table: str, file_name: str, has_names: bool = True
) -> Layout | None:
    """Return the first layout that the file has.

    Args:
        relation: unconverted columns and `source_row`.
        has_names: whether the names of the columns are those of the file.
    """
    candidates = [layout for layout in layouts() if layout.table == table]
    if has_names:
        return next((layout for layout in candidates if layout.matches_names(relation, file_name)), None)
    columns = [column for column in relation.columns if column != "source_row"]
    candidates = [layout for layout in candidates if (layout.width or len(layout.cells)) == len(columns)]
    if not candidates:
        return None
    rows = relation.limit(SAMPLE_ROWS).project(", ".join(map(quote, columns))).fetchall()
    return next((layout for layout in candidates if layout.matches_cells(rows, file_name)), None)


def is_first_row(columns: Sequence[str], table: str, file_name: str) -> bool:
    """Return whether these names of columns are the first row of a known layout without a header."""
    return any(layout.table == table and layout.matches_cells([columns], file_name) for layout in layouts())
