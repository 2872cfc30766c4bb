"""Dates and times in digits alone, such as 20240131 and 20240131120000."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from components.ingest_interactions.duckdb_session import literal
from components.ingest_interactions.times.time_column import Cell, TimeColumn
from components.ingest_interactions.times.time_format import OTHER_FORMAT, TimeFormat
from components.ingest_interactions.times.time_options import TimeOptions
from components.ingest_interactions.times.time_zones import utc_micros, zone_words

EARLIEST, LATEST = datetime(1970, 1, 1), datetime(2100, 1, 1)

# Share of the sample that must be dates. The other cells are then invalid, not numbers of another kind.
MOST: Final = 0.9


@dataclass(frozen=True)
class DigitDate:
    """`digits` is the length of the text; `python` and `duckdb` are strptime formats."""

    digits: int
    label: str
    python: str
    duckdb: str


KNOWN: Final = (
    DigitDate(6, "months YYYYMM, each read as its first day", "%Y%m", "%Y%m"),
    DigitDate(8, "dates YYYYMMDD without a time of day", "%Y%m%d", "%Y%m%d"),
    DigitDate(10, "hours YYYYMMDDHH", "%Y%m%d%H", "%Y%m%d%H"),
    DigitDate(12, "times YYYYMMDDHHMM", "%Y%m%d%H%M", "%Y%m%d%H%M"),
    DigitDate(14, "times YYYYMMDDHHMMSS", "%Y%m%d%H%M%S", "%Y%m%d%H%M%S"),
    DigitDate(17, "times YYYYMMDDHHMMSSmmm", "%Y%m%d%H%M%S%f", "%Y%m%d%H%M%S%g"),
)
TWO_DIGIT_YEAR: Final = DigitDate(6, "dates YYMMDD", "%y%m%d", "%y%m%d")


def detect_digits(column: TimeColumn, cells: list[Cell]) -> DigitDate | None:
    """Return the form of numbers that are dates in digits, None for other numbers.

    Raises:
        StepError: the years have two digits.
    """
    for known in KNOWN:
        dates = _dates(cells, known)
        # 2024013112 is a second of 2034 too: a date only if all such seconds are in the future.
        future = datetime.now(UTC) + timedelta(days=1)
        if known.digits == 10 and any(int(cell.text) < future.timestamp() for cell in dates):
            continue
        if len(dates) >= MOST * len(cells):
            return known
    if len(dates := _dates(cells, TWO_DIGIT_YEAR)) >= MOST * len(cells):
        raise column.error(
            dates[0],
            "the numbers look like dates YYMMDD, with two digits for the year. State the format: "
            "--time-format %y%m%d, or --time-format order if they only give an order",
        )
    return None


def read_digits(column: TimeColumn, form: DigitDate, options: TimeOptions) -> TimeFormat:
    """Return the conversion of a column with this form."""
    text = f"regexp_replace({column.text}, '[.,]0*$', '')"
    is_date = f"length({text}) = {form.digits} AND regexp_full_match({text}, '[0-9]+')"
    local = f"CASE WHEN {is_date} THEN try_strptime({text}, {literal(form.duckdb)}) END"
    sql = utc_micros(local, options.zone)
    label = f"{form.label}, {zone_words(1, 1, options.timezone)}"
    return TimeFormat(label, sql, local, expected=f"one of the {form.label}; {OTHER_FORMAT}")


def _dates(cells: list[Cell], form: DigitDate) -> list[Cell]:
    """Return the cells that are dates of this form, without a fraction of zeros."""
    dates = []
    for cell in cells:
        text, _, fraction = cell.text.replace(",", ".").partition(".")
        if len(text) == form.digits and text.isdigit() and not fraction.strip("0"):
            with suppress(ValueError):
                if EARLIEST <= datetime.strptime(text, form.python) < LATEST:
                    dates.append(Cell(cell.row, text))
    return dates
