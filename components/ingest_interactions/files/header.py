"""Finds the header of a delimited text file: the names of the columns, and what stands above them."""

import itertools
import re
from dataclasses import dataclass, field
from typing import Final

from components.errors import StepError

NUMBER: Final = re.compile(r"[-+]?[\d.,]*\d[\d.,]*([eE][-+]?\d+)?%?")
TIME: Final = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?|\d{1,2}:\d{2}.*")
# UUIDs, hashes, JSON, lists, addresses.
VALUE: Final = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-.*|[0-9a-fA-F]{16,}|[\[{].*|https?://.*")
INDEX_NAMES: Final = ("", "Unnamed: 0", "__index_level_0__")
LONG: Final = 120
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


def is_header(first: list[str], others: list[list[str]]) -> bool:
    """Return whether `first` has names, not values like those of the records after it."""
    cells = [cell.strip() for cell in first]
    if _is_numbered(cells, others):
        return True
    if any(_is_value(cell) for cell in cells):
        return False
    same_width = [record for record in others if len(record) == len(first) and record != first]
    return not any(
        cell and any(record[position].strip() == cell for record in same_width)
        for position, cell in enumerate(cells)
    )


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
    if _is_numbered(names, others):
        return _numbered_header(names)
    names, notes = _fit(names, others, width, name)
    names[0] = names[0].removeprefix("#").strip()
    kept = list(range(len(names)))
    cells = [record for record in others if len(record) == len(names)]
    if names[0] in INDEX_NAMES and _counts_up([record[0] for record in cells]):
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
    if len(names) == width - 1 and _counts_up([record[0] for record in wide]):
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


def _is_numbered(cells: list[str], others: list[list[str]]) -> bool:
    """Return whether the names are 0, 1, 2, …, as pandas writes them for columns without names."""
    numbers = [str(position) for position in range(len(cells))]
    if len(cells) > 2 and cells == numbers:
        return any(not NUMBER.fullmatch(cell.strip() or "0") for record in others for cell in record)
    return len(cells) > 2 and cells == ["", *numbers[:-1]]


def _numbered_header(cells: list[str]) -> Header:
    first = int(not cells[0])
    names = _numbered(len(cells) - first)
    note = f"the header numbers the columns: they are called column_1 to {names[-1]}"
    return Header(["", *names][1 - first :], list(range(first, len(cells))), False, True, [note])


def _counts_up(cells: list[str]) -> bool:
    try:
        numbers = [int(float(cell)) for cell in cells if cell.strip()]
    except ValueError:
        return False
    return bool(numbers) and all(later > earlier for earlier, later in itertools.pairwise(numbers))


def _is_value(cell: str) -> bool:
    return len(cell) > LONG or any(kind.fullmatch(cell) for kind in (NUMBER, TIME, VALUE))
