"""The format of a time column: its description, and the SQL that converts a cell."""

from dataclasses import dataclass
from typing import Final

OTHER_FORMAT: Final = "another format is read with --time-format, such as --time-format '%d/%m/%Y %H:%M'"
EXPECTED: Final = f"a time such as 2026-01-31T12:00:00Z; {OTHER_FORMAT}"


@dataclass(frozen=True)
class TimeFormat:
    """The result of the detection; all but the texts is SQL over the unconverted columns.

    Args:
        label: the format and the time zone in words.
        sql: BIGINT µs since the epoch; NULL for a missing or invalid cell.
        local: the TIMESTAMP of a cell without an offset, else NULL.
        invalid: true for a cell that has a value and is no time.
        expected: what an invalid cell should be.
        notes: more lines to report, about daylight saving.
    """

    label: str
    sql: str
    local: str = "NULL"
    invalid: str = "false"
    expected: str = EXPECTED
    notes: tuple[str, ...] = ()
