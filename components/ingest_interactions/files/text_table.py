"""Finds out how a delimited text file is written: separators, header, and what stands above it."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from components.errors import StepError
from components.ingest_interactions.files import number_marks, separators
from components.ingest_interactions.files.cells import Split, split
from components.ingest_interactions.files.header import Header, read_header
from components.ingest_interactions.files.header_evidence import is_header
from components.ingest_interactions.files.separators import Separators
from components.ingest_interactions.reading import Reading
from feature_repo.counts import counted

SEPARATOR_LINE: Final = re.compile(r"sep=(.|\\t)\s*$", re.IGNORECASE)
NAME: Final = re.compile(r"[\w.:\-/]+")
MOST_TITLE_RECORDS: Final = 20
SAMPLE_RECORDS: Final = 2000


@dataclass(frozen=True)
class TextTable:
    """How a file is written.

    Attributes:
        skip: the number of lines before the first row.
        has_quotes_above: whether quotes in these lines would change how DuckDB counts them.
    """

    separators: Separators
    header: Header
    skip: int
    notes: list[str]
    decimal_marks: dict[str, str]
    has_quotes_above: bool = False

    @property
    def width(self) -> int:
        """The number of cells of a row."""
        return len(self.header.names)

    @property
    def columns(self) -> list[str]:
        """The columns to read."""
        return [self.header.names[position] for position in self.header.kept]

    @property
    def all_columns(self) -> list[str]:
        """All columns; one that is not read has a name that no other has."""
        names = enumerate(self.header.names)
        return [name if position in self.header.kept else f"\0unread {position}" for position, name in names]

    @property
    def description(self) -> str:
        """The dialect in words."""
        if self.width == 1:
            return "text in one column"
        kind = {",": "CSV", "\t": "TSV"}.get(self.separators.delimiter, "text")
        return f"{kind} {self.separators}"

    @property
    def layout(self) -> tuple[object, ...]:
        """What files must have in common to be read together."""
        header = self.header
        return (
            self.separators,
            tuple(header.names),
            tuple(header.kept),
            self.skip,
            tuple(self.decimal_marks.items()),
        )


def describe(path: Path, reading: Reading, name: str) -> TextTable:
    """Describe a UTF-8 file.

    Raises:
        StepError: the header has a missing or repeated name, or an option is wrong.
    """
    lines = separators.sample(path).split("\n")
    above, told = _above(lines)
    if told is not None and reading.delimiter is None:
        reading = reading.model_copy(update={"delimiter": told})
    body = "\n".join(lines[above:])
    found = separators.detect(path, body, reading, name)
    sample = split(body, found.delimiter, found.quote, found.escape)
    title = _title_records(sample)
    records = sample.records[title : title + SAMPLE_RECORDS] or [[""]]
    numbers = [above + line for line in sample.lines[title:]] or [above]
    comment = _commented_header(lines[:above], records, sample.width, found, reading)
    if comment:
        header = read_header(split(comment, *_fields(found)).records[0], records, True, sample.width, name)
    else:
        header = read_header(records[0], records[1:], reading.header, max(sample.width, 1), name)
    skip = numbers[0]
    if header.is_line and not comment:
        skip = (
            numbers[1] if len(numbers) > 1 else numbers[0] + 1 + sum(cell.count("\n") for cell in records[0])
        )
        records = records[1:]
    left_out = [line for line in lines[: numbers[0]] if line.strip("# ") not in ("", comment)]
    notes = _notes(
        header, [line for line in left_out if not SEPARATOR_LINE.match(line)], found, reading, name
    )
    marks, more = number_marks.find(header, records, reading.decimal, found.delimiter)
    titles = "\n".join(lines[: numbers[0]])
    has_quotes_above = found.quote != "" and (found.quote in titles or "\n" in "".join(header.names))
    return TextTable(found, header, skip, notes + more, marks, has_quotes_above)


def _fields(found: Separators) -> tuple[str, str, str]:
    return found.delimiter, found.quote, found.escape


def _above(lines: list[str]) -> tuple[int, str | None]:
    """Return the number of blank and comment lines at the top, and the separator of the line "sep=;"."""
    told = None
    for number, line in enumerate(lines):
        if match := SEPARATOR_LINE.match(line):
            told = "\t" if match.group(1) == "\\t" else match.group(1)
        elif line.strip() and not line.startswith("#"):
            return number, told
    # All lines begin with "#": they are no comments.
    return 0, told


def _title_records(sample: Split) -> int:
    """Return the number of records at the top that have too few cells to be a header."""
    for number, record in enumerate(sample.records[:MOST_TITLE_RECORDS]):
        if len(record) >= max(2, sample.width - 1):
            return number
    return 0


def _commented_header(
    above: list[str], records: list[list[str]], width: int, found: Separators, reading: Reading
) -> str:
    """Return the last comment above the first record without its "#" if it has the names of the columns."""
    comments = [line.strip("# ") for line in above if line.startswith("#")]
    if not comments or reading.header is False:
        return ""
    cells = [cell.strip() for cell in (split(comments[-1], *_fields(found)).records or [[]])[0]]
    # The first name may be empty: that of row numbers.
    has_names = len(cells) == width > 1 and all(
        NAME.fullmatch(cell) for cell in (cells[0] or "0", *cells[1:])
    )
    return comments[-1] if has_names and is_header(cells, records) else ""


def _notes(header: Header, left_out: list[str], found: Separators, reading: Reading, name: str) -> list[str]:
    notes = list(header.notes)
    if left_out:
        notes.append(f"{counted(len(left_out), 'line')} above the table left out: {left_out[0][:60]!r}")
    if len(header.names) == 1 and reading.delimiter is not None:
        raise StepError(
            f"{name}: --reading delimiter={reading.delimiter} separates no line; "
            f"the first one is {header.names[0][:80]!r}"
        )
    if len(header.names) == 1:
        notes.append(
            "one column: neither comma, semicolon, tab, |, :: nor blanks separate the lines evenly; "
            "--reading delimiter=CHARACTER says what does"
        )
    return notes
