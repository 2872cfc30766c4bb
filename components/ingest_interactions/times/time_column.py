"""A column of times before its conversion, and a sample of its cells."""

from dataclasses import dataclass
from typing import Final

from duckdb import DuckDBPyRelation

from components.errors import StepError
from components.ingest_interactions.duckdb_session import literal, quote
from components.ingest_interactions.times.text_patterns import MISSING

SAMPLE_ROWS: Final = 10_000


@dataclass(frozen=True)
class Cell:
    """A cell with its row in the file, and its text without surrounding blanks."""

    row: int
    text: str


@dataclass(frozen=True)
class TimeColumn:
    """`relation` has the column `name` and `source_row`; `source` is the name of the file in messages."""

    relation: DuckDBPyRelation
    name: str
    source: str

    @property
    def type(self) -> str:
        return str(self.relation.select(quote(self.name)).types[0])

    @property
    def text(self) -> str:
        """SQL for the text of a cell."""
        return f"trim({quote(self.name)}::VARCHAR)"

    def sample(self) -> list[Cell]:
        """Return the first cells with a value."""
        filled = self.relation.filter(f"NOT regexp_matches({self.text}, {literal(MISSING.pattern)})")
        rows = filled.select(f"source_row, {self.text}").limit(SAMPLE_ROWS).fetchall()
        return [Cell(row, text) for row, text in rows]

    def error(self, cell: Cell, problem: str) -> StepError:
        """Return an error about a cell."""
        return StepError(f"{self.source}: row {cell.row}: {self.name} is {cell.text!r}; {problem}")
