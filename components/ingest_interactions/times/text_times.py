"""Times that are written as text: finds the spellings of a column, and the zones of its times."""

import re
from dataclasses import dataclass
from typing import Final

from components.ingest_interactions.duckdb_session import literal, quote
from components.ingest_interactions.times import text_sql
from components.ingest_interactions.times.date_order import DateOrder, decide, two_digit_year_error
from components.ingest_interactions.times.text_patterns import NUMERIC, PATTERNS, TWO_DIGIT_YEAR
from components.ingest_interactions.times.time_column import Cell, TimeColumn
from components.ingest_interactions.times.time_format import EXPECTED, OTHER_FORMAT, TimeFormat
from components.ingest_interactions.times.time_options import TimeOptions
from components.ingest_interactions.times.time_zones import abbreviations, zone_names, zone_words

# What programs write besides blank and hyphen: no-break and thin spaces, tab, minus; and marks of direction.
ODD: Final = "\u00a0\u202f\u2007\u2009\t\u2212\u200e\u200f"
PLAIN: Final = "     -"
TRANSLATION: Final = str.maketrans(ODD[: len(PLAIN)], PLAIN, ODD[len(PLAIN) :])


@dataclass(frozen=True)
class TextSample:
    """The cells of a sample that are times, each with its spelling and the match of its pattern."""

    times: list[tuple[Cell, str, re.Match[str]]]

    @property
    def spellings(self) -> list[str]:
        found = {spelling for _, spelling, _ in self.times}
        return [spelling for spelling in PATTERNS if spelling in found]

    @property
    def zones(self) -> dict[str, Cell]:
        """Name of a time zone or abbreviation -> its first cell."""
        return {match["zone"]: cell for cell, _, match in reversed(self.times) if match["zone"]}

    def label(self, order: DateOrder | None, timezone: str) -> str:
        """Describe the times of the sample."""
        kinds = [*self.spellings, *([order.words] if order else [])]
        if not any(match["hour"] for _, _, match in self.times):
            kinds.append("dates without a time of day")
        naive = sum(not match["sign"] and not match["zone"] for _, _, match in self.times)
        return ", ".join([*kinds, zone_words(naive, len(self.times), timezone)])


def read_text(column: TimeColumn, cells: list[Cell], options: TimeOptions) -> TimeFormat:
    """Return the format of a text column; each cell may have any of the spellings of the sample.

    Raises:
        StepError: no cell is a time, a year has two digits, day and month can't be told apart, or the name of
            a time zone is unknown.
    """
    text = column.text
    if any(cell.text.translate(TRANSLATION) != cell.text for cell in cells):
        text = f"trim(translate({quote(column.name)}::VARCHAR, {literal(ODD)}, {literal(PLAIN)}))"
    sample = _match(column, cells)
    spellings = sample.spellings
    dates = [(cell, match) for cell, spelling, match in sample.times if spelling == NUMERIC]
    order = decide(column, text, dates, options.day_first) if dates else None
    day_first = order is None or order.day_first
    zones = _zones(column, text, sample, options.zone)
    sql = text_sql.micros(text, spellings, day_first, options.zone, abbreviations(options.zone), zones)
    return TimeFormat(
        label=sample.label(order, options.timezone),
        sql=sql,
        local=text_sql.local_time(text, spellings, day_first),
        expected=f"a time like the others, such as {sample.times[0][0].text!r}; {OTHER_FORMAT}",
    )


def _match(column: TimeColumn, cells: list[Cell]) -> TextSample:
    times = []
    for cell in cells:
        text = cell.text.translate(TRANSLATION).strip()
        found = ((spelling, pattern.match(text)) for spelling, pattern in PATTERNS.items())
        spelling, match = next((pair for pair in found if pair[1]), ("", None))
        if match:
            times.append((cell, spelling, match))
        elif TWO_DIGIT_YEAR.match(text):
            raise two_digit_year_error(column, Cell(cell.row, text))
    if not times:
        raise column.error(cells[0], f"expected {EXPECTED}")
    return TextSample(times)


def _zones(column: TimeColumn, text: str, sample: TextSample, zone: str) -> list[str]:
    """Return the IANA names in the column that are no abbreviations.

    Raises:
        StepError: the sample has an unknown zone.
    """
    known, usual = zone_names(), abbreviations(zone)
    for token, cell in sample.zones.items():
        if token.upper() not in usual and token.lower() not in known:
            raise column.error(
                cell,
                f"{token} is no time zone with one meaning. Expected an offset such as +05:30, or a "
                "name such as Asia/Kolkata. If all times of the file are of one zone, name it with "
                f"--timezone: its {token} is then known",
            )
    if all(token.upper() in usual for token in sample.zones):
        return []
    tokens: set[str] = set()
    for spelling in sample.spellings:
        rows = column.relation.select(f"lower({text_sql.parts(text, spelling)}.zone)").distinct().fetchall()
        tokens |= {token for (token,) in rows}
    return [known[token] for token in sorted(tokens & set(known)) if token.upper() not in usual]
