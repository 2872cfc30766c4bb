"""Detects the separator, the quote character and the escape of a delimited text file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from components.errors import StepError
from components.ingest_interactions.files.cells import Split, split
from components.ingest_interactions.reading import Reading

SAMPLE_BYTES: Final = 1 << 18
# For the choice of the separator; a wrong one makes long records.
FEW_LINES: Final = 300
WINDOWS: Final = 20
DELIMITERS: Final = ("\t", ",", ";", "|", "::", "\x01", " ", "blanks")
NAMES: Final = {"\t": "tabs", "\x01": "the character 0x01", " ": "blanks", "blanks": "runs of blanks"}
# In files with these separators a quote is text, unless it is clear that it is not.
SPREADSHEET: Final = (",", ";")


@dataclass(frozen=True)
class Separators:
    """`quote` is "" for cells without quotes; `escape` stands before a quote inside a quoted cell."""

    delimiter: str
    quote: str
    escape: str

    def __str__(self) -> str:
        delimiter = NAMES.get(self.delimiter, f"'{self.delimiter}'")
        quotes = {"": ", without quotes", "'": ", quoted with '"}.get(self.quote, "")
        escape = ", escaped with a backslash" if self.escape == "\\" else ""
        return f"separated by {delimiter}{quotes}{escape}"


def sample(path: Path) -> str:
    """Return the whole lines among the first SAMPLE_BYTES of a UTF-8 file."""
    with path.open("rb") as file:
        data = file.read(SAMPLE_BYTES)
        if len(data) == SAMPLE_BYTES:
            data = data[: data.rfind(b"\n") + 1] or data
    return data.decode("utf-8-sig", "replace").replace("\r\n", "\n")


def detect(path: Path, text: str, reading: Reading, name: str) -> Separators:
    """Return the separators of a UTF-8 file.

    Args:
        text: its first lines, without what stands above the header.

    Raises:
        StepError: a given separator can't be used.
    """
    if (
        reading.delimiter is not None
        and not 1 <= len(reading.delimiter.encode()) <= 4
        and reading.delimiter != "blanks"
    ):
        raise StepError(
            f"{name}: delimiter {reading.delimiter!r}: expected one to four characters, or blanks"
        )
    few = "\n".join(text.split("\n")[:FEW_LINES])
    candidates = (reading.delimiter,) if reading.delimiter else DELIMITERS
    delimiter = max(candidates, key=lambda candidate: _score(few, candidate, reading, path))
    return _quoting(text, delimiter, reading, _windows(path, delimiter))


def _score(text: str, delimiter: str, reading: Reading, path: Path) -> float:
    """Rate a separator by how evenly it splits the lines, and into how many cells."""
    chosen = _quoting(text, delimiter, reading, "")
    found = split(text, chosen.delimiter, chosen.quote, chosen.escape)
    if found.width < 2:
        return 0.0
    score = found.consistency * (1 + 0.1 * min(found.width, 12))
    if len(found.records[0]) != found.width:
        score *= 0.6
    if delimiter in (" ", "blanks"):
        score *= 0.5
    return score * (1.2 if delimiter == "\t" and path.suffix in {".tsv", ".inter", ".item", ".user"} else 1)


def _quoting(text: str, delimiter: str, reading: Reading, later: str) -> Separators:
    if delimiter == "blanks" or reading.quote == "":
        return Separators(delimiter, "", "")
    given = reading.quote
    double = _best(text, delimiter, given or '"', later)
    if given is not None or _is_quoted(double[1], '"', delimiter):
        return double[0]
    single = _best(text, delimiter, "'", later)
    if _is_quoted(single[1], "'", delimiter):
        return single[0]
    is_text = delimiter not in SPREADSHEET or double[1].contradictions
    return Separators(delimiter, "", "") if is_text else Separators(delimiter, '"', '"')


def _best(text: str, delimiter: str, quote: str, later: str) -> tuple[Separators, Split]:
    """Choose the escape: a backslash only where it makes more cells end with a quote."""
    doubled = _evidence(text, later, delimiter, quote, quote)
    if "\\" + quote in text and quote != "'":
        escaped = _evidence(text, later, delimiter, quote, "\\")
        if escaped.contradictions < doubled.contradictions:
            return Separators(delimiter, quote, "\\"), escaped
    return Separators(delimiter, quote, quote), doubled


def _evidence(text: str, later: str, delimiter: str, quote: str, escape: str) -> Split:
    found = split(text, delimiter, quote, escape)
    if later:
        more = split(later, delimiter, quote, escape)
        found.needed += more.needed
        found.contradictions += more.contradictions
    return found


def _is_quoted(found: Split, quote: str, delimiter: str) -> bool:
    """Return whether the quotes mark cells, and are no part of the text."""
    total = sum(found.quoted.values())
    rows = max(1, len(found.records) - 1)
    whole_columns = any(count >= 0.9 * rows for count in found.quoted.values())
    if quote == "'":
        return whole_columns and not found.contradictions
    if found.contradictions * 10 > total:
        return False
    return whole_columns or found.needed > 0 or (delimiter in SPREADSHEET and total > 0)


def _windows(path: Path, delimiter: str) -> str:
    """Return lines with quotes from the rest of the file, where the sample is not all of it."""
    size = path.stat().st_size
    if size <= SAMPLE_BYTES:
        return ""
    windows = []
    step = (size - SAMPLE_BYTES) // WINDOWS + 1
    with path.open("rb") as file:
        for start in range(SAMPLE_BYTES, size, step):
            file.seek(start)
            position, end = start, min(size, start + step)
            while position < end:
                block = file.read(min(1 << 22, end - position))
                if (hit := block.find(b'"')) >= 0:
                    file.seek(max(0, position + hit - (1 << 14)))
                    around = file.read(1 << 15)
                    windows.append(around[around.find(b"\n") + 1 : around.rfind(b"\n") + 1])
                    break
                position += len(block)
    return b"".join(windows).decode("utf-8", "replace").replace("\r\n", "\n")
