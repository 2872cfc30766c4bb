"""Finds the header of a delimited text file: the names of the columns, and what stands above them."""

from dataclasses import dataclass, field
from typing import Final

from components.errors import StepError
from components.ingest_interactions.files.header_evidence import counts_up, is_header, is_numbered

INDEX_NAMES: Final = ("", "Unnamed: 0", "__index_level_0__")
ROW: Final = "source_row"


@dataclass(frozen=True)
class Header:
    """The columns of a file.

    Attributes:
        names: one for each column; column_1, column_2, … without a header.
        kept: positions of the columns to read.
        has_names: whether the names are those of the file.
        is_line: whether the first record is a header, not a row.
    """

    names: list[str]
    kept: list[int]
    has_names: bool
    is_line: bool
    notes: list[str] = field(default_factory=list)


def read_header(
    first: list[str], others: list[list[str]], given: bool | None, width: int, name: str
) -> Header:
    """Return the columns.

    Args:
        first: the first record of the file.
        others: some records after it.
        given: whether `first` is a header, if the user said so.
        width: the number of cells of most records.

    Raises:
        StepError: a name is missing, or there more than once.
    """
    if not (is_header(first, others) if given is None else given):
        note = (
            f"no header: line 1 has values, so the columns are called column_1 to column_{width}; "
            "--reading header=true says that it has names"
        )
        return Header(_numbered(width), list(range(width)), False, False, [note] if given is None else [])
    names = [cell.strip() for cell in first]
    if is_numbered(names, others):
        return _numbered_header(names)
    names, notes = _fit(names, others, width, name)
    names[0] = names[0].removeprefix("#").strip()
    kept = list(range(len(names)))
    cells = [record for record in others if len(record) == len(names)]
    if names[0] in INDEX_NAMES and counts_up([record[0] for record in cells]):
        notes.append("the first column has row numbers and no name: ignored")
        kept.remove(0)
    if len(names) > 1 and not names[-1] and all(not record[-1].strip() for record in cells):
        kept.remove(len(names) - 1)
    if reserved := [position for position in kept if names[position].lower() == ROW]:
        notes.append(f"column {ROW}: ignored, because each row gets its own number")
        kept = [position for position in kept if position not in reserved]
    _check_names([names[position] for position in kept], name)
    return Header(names, kept, True, True, notes)


def _fit(names: list[str], others: list[list[str]], width: int, name: str) -> tuple[list[str], list[str]]:
    """Give a name to the row numbers of R, whose header has one cell less than the rows."""
    if len(names) == width or width < 2:
        return names, []
    wide = [record for record in others if len(record) == width]
    if len(names) == width - 1 and all(not record[-1].strip() for record in wide):
        return [*names, ""], []
    problem = f"the header has {len(names)} names, the rows have {width} cells"
    if len(names) == width - 1 and counts_up([record[0] for record in wide]):
        return ["", *names], [f"{problem}: the first has no name"]
    raise StepError(
        f"{name}: {problem}: {', '.join(names)[:99]}. Correct the header; if it is no header but a row, "
        "say so with --reading header=false"
    )


def _check_names(names: list[str], name: str) -> None:
    lower = [column.lower() for column in names]
    repeated = sorted({column for column in names if lower.count(column.lower()) > 1 and column})
    if not repeated and "" not in names:
        return
    problem = f"columns {repeated} more than once" if repeated else "a column without a name"
    raise StepError(
        f"{name}: the header line has {problem}; expected one name for each column: {', '.join(names)[:99]}. "
        "If it is no header but a row, say so with --reading header=false"
    )


def _numbered(width: int) -> list[str]:
    return [f"column_{position + 1}" for position in range(width)]


def _numbered_header(cells: list[str]) -> Header:
    first = int(not cells[0])
    names = _numbered(len(cells) - first)
    note = f"the header numbers the columns: they are called column_1 to {names[-1]}"
    return Header(["", *names][1 - first :], list(range(first, len(cells))), False, True, [note])
