"""Tells names of columns from values."""

import itertools
import re
from typing import Final

NUMBER: Final = re.compile(r"[-+]?[\d.,]*\d[\d.,]*([eE][-+]?\d+)?%?")
TIME: Final = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?|\d{1,2}:\d{2}.*")
# UUIDs, hashes, JSON, lists, addresses.
VALUE: Final = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-.*|[0-9a-fA-F]{16,}|[\[{].*|https?://.*")
LONG: Final = 120


def is_header(first: list[str], others: list[list[str]]) -> bool:
    """Return whether `first` has names, not values like those of the records after it."""
    cells = [cell.strip() for cell in first]
    if is_numbered(cells, others):
        return True
    if any(_is_value(cell) for cell in cells):
        return False
    same_width = [record for record in others if len(record) == len(first) and record != first]
    return not any(
        cell and any(record[position].strip() == cell for record in same_width)
        for position, cell in enumerate(cells)
    )


def is_numbered(cells: list[str], others: list[list[str]]) -> bool:
    """Return whether the names are 0, 1, 2, …, as pandas writes them for columns without names."""
    numbers = [str(position) for position in range(len(cells))]
    if len(cells) > 2 and cells == numbers:
        return any(not NUMBER.fullmatch(cell.strip() or "0") for record in others for cell in record)
    return len(cells) > 2 and cells == ["", *numbers[:-1]]


def counts_up(cells: list[str]) -> bool:
    """Return whether the cells are whole numbers, each larger than the one before."""
    try:
        numbers = [int(float(cell)) for cell in cells if cell.strip()]
    except ValueError:
        return False
    return bool(numbers) and all(later > earlier for earlier, later in itertools.pairwise(numbers))


def _is_value(cell: str) -> bool:
    return len(cell) > LONG or any(kind.fullmatch(cell) for kind in (NUMBER, TIME, VALUE))
