"""Counts the lines of text files that can't be read as a row, and refuses a file with too many of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from duckdb import DuckDBPyConnection

from components.errors import StepError
from feature_repo.counts import counted

# An open quote causes the other errors of its line.
ORDER: Final = "file_path, line_byte_position, error_type <> 'UNQUOTED VALUE'"
HIGHEST_SHARE: Final = 0.05
SHOWN: Final = 3
REASONS: Final = {
    "UNQUOTED VALUE": "a quote is not closed before the next separator",
    "LINE SIZE OVER MAXIMUM": "longer than 2 MB",
    "INVALID ENCODING": "not UTF-8",
}
REJECTED: Final = """
    SELECT file_path, line_byte_position, error_type, error_message, left(csv_line, 80) AS line,
        length(csv_line) - length(replace(rtrim(csv_line, chr(10) || chr(13)), chr(10), '')) AS breaks
    FROM {rejects} JOIN {scans} USING (scan_id, file_id)
"""


@dataclass(frozen=True)
class Rejected:
    """`rows` were read; `lines` were not, `examples` are some of them.

    `suspects` is the number of rows for which the condition given to `count` holds.
    """

    rows: int
    suspects: int
    lines: int
    examples: list[str]

    def note(self, name: str, columns: int) -> str | None:
        """Return a sentence about the lines that are left out, None if there are none.

        Raises:
            StepError: they are more than HIGHEST_SHARE of all lines.
        """
        if not self.lines:
            return None
        what = f"{self.lines:,} of {self.lines + self.rows:,} lines can't be read as a row of {columns} cells"
        shown = "; ".join(self.examples)
        if self.lines > HIGHEST_SHARE * (self.lines + self.rows):
            raise StepError(
                f"{name}: {what}: {shown}. Correct them: a cell with the separator must be in quotes. "
                "If the separator or the quotes are others, say which with --reading delimiter=… or quote=…"
            )
        return f"{what}, and are left out: {shown}"


def count(connection: DuckDBPyConnection, scan: str, names: dict[str, str], suspicious: str) -> Rejected:
    """Read all rows of a CSV scan, and count the lines that are no row.

    Args:
        scan: `read_csv(…` without the closing parenthesis.
        names: path -> name in messages; "" if there is one file.
        suspicious: SQL condition; one about many columns takes several times as long.
    """
    tables = {"rejects": "rejected_lines", "scans": "rejected_scans"}
    for table in tables.values():
        connection.execute(f"DROP TABLE IF EXISTS {table}")
    stored = (
        f"store_rejects = true, rejects_table = '{tables['rejects']}', rejects_scan = '{tables['scans']}'"
    )
    rows, suspects = connection.execute(
        f"SELECT count(*), count(*) FILTER ({suspicious}) FROM {scan}, {stored})"
    ).fetchall()[0]
    rejected = REJECTED.format(**tables)
    # One line can have several errors: too many cells, for example, are one error each.
    found = f"SELECT DISTINCT ON (file_path, line_byte_position) * FROM ({rejected}) ORDER BY {ORDER}"
    (lines,) = connection.execute(f"SELECT coalesce(sum(1 + breaks), 0) FROM ({found})").fetchall()[0]
    first = connection.execute(f"{found} LIMIT {SHOWN}").fetchall()
    for table in tables.values():
        connection.execute(f"DROP TABLE {table}")
    return Rejected(rows, suspects, int(lines), list(_examples(first, names)))


def _examples(first: list[tuple[str, int, str, str, str, int]], names: dict[str, str]) -> Iterable[str]:
    for path, position, kind, message, line, _ in first:
        prefix = f"{names[path]}, " if names.get(path) else ""
        if kind.endswith("COLUMNS"):
            reason = counted(int(message.rpartition("Found: ")[2]), "cell")
        else:
            reason = REASONS.get(kind, message)
        yield f"{prefix}line {_line_number(Path(path), position)}: {reason}: {line.rstrip()!r}"


def _line_number(path: Path, position: int) -> int:
    """Return the number of the line at a byte position; a cell with line breaks is several lines."""
    number = 1
    with path.open("rb") as file:
        while position > 0 and (block := file.read(min(position, 1 << 24))):
            number += block.count(b"\n") or (block.count(b"\r") if b"\n" not in block else 0)
            position -= len(block)
    return number
