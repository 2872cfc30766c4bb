"""Splits sample lines of a text file into cells, and counts what speaks for or against a quote character."""

import re
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Split:
    """Sample lines as records of cells.

    Attributes:
        lines: for each record, the number of its first line, from 0.
        quoted: number of cells in quotes.
        needed: of these, those with a separator, line end or quote inside, which need the quotes.
        contradictions: cells that begin with a quote, but do not end with one.
    """

    records: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    quoted: Counter[int] = field(default_factory=Counter)
    needed: int = 0
    contradictions: int = 0

    @property
    def width(self) -> int:
        """The most frequent number of cells."""
        widths = Counter(len(record) for record in self.records)
        # Of two equally frequent ones the first counts, unless it is that of lines without a separator.
        return max(widths, key=lambda width: (widths[width], width > 1), default=0)

    @property
    def consistency(self) -> float:
        """The share of records with the most frequent number of cells."""
        width = self.width
        return sum(len(record) == width for record in self.records) / max(1, len(self.records))


def split(text: str, delimiter: str, quote: str, escape: str) -> Split:
    """Split `text`; empty lines are left out.

    Args:
        delimiter: "blanks" for runs of blanks.
        quote: "" for cells without quotes.
        escape: what stands before a quote inside a quoted cell: the quote itself, or a backslash.
    """
    if not quote or quote not in text:
        return _split_plain(text, delimiter)
    d, q = re.escape(delimiter), re.escape(quote)
    inside = rf"[^{q}]*(?:{q}{q}[^{q}]*)*" if escape == quote else rf"[^{q}\\]*(?:\\.[^{q}\\]*)*"
    unquoted = rf"(?:(?!{d})[^\n])*" if len(delimiter) > 1 else rf"[^{d}\n]*"
    cell = re.compile(rf"( *{q}({inside}){q} *(?={d}|\n|\Z)|{unquoted})({d}|\n|\Z)", re.DOTALL)
    found, line, position = Split(), 0, 0
    record: list[str] = []
    first_line = 0
    while position < len(text):
        match = cell.match(text, position)
        if match is None:  # unreachable for the patterns above; a guard against an endless loop
            break
        raw, content, end = match.groups()
        if content is not None:
            found.quoted[len(record)] += 1
            found.needed += any(part in content for part in (delimiter, "\n", escape + quote))
            record.append(content.replace(escape + quote, quote))
        else:
            found.contradictions += raw.lstrip(" ").startswith(quote)
            record.append(raw)
        line += raw.count("\n")
        position = match.end()
        if end != delimiter:
            _add(found, record, first_line)
            line += 1
            first_line, record = line, []
    if record:
        _add(found, [*record, ""], first_line)
    return found


def _split_plain(text: str, delimiter: str) -> Split:
    found = Split()
    for number, line in enumerate(text.split("\n")):
        _add(found, line.split() if delimiter == "blanks" else line.split(delimiter), number)
    return found


def _add(found: Split, record: list[str], line: int) -> None:
    if len(record) > 1 or (record and record[0].strip()):
        found.records.append(record)
        found.lines.append(line)
