"""Times that are numbers: dates in digits, epoch numbers, Excel serials, and numbers that only order."""

from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Final

from components.ingest_interactions.times.digit_dates import detect_digits, read_digits
from components.ingest_interactions.times.time_column import Cell, TimeColumn
from components.ingest_interactions.times.time_format import EXPECTED, TimeFormat
from components.ingest_interactions.times.time_options import TimeOptions
from components.ingest_interactions.times.time_zones import utc_micros, zone_words

DAY_US: Final = 86_400_000_000

# Option -> name, smallest value (the year 1973), SQL for µs; `{text}` and `{number}` are SQL for the cell.
EPOCH: Final = {
    "ns": ("epoch nanoseconds", 1e17, "TRY_CAST({text} AS HUGEINT) // 1000"),
    "us": ("epoch microseconds", 1e14, "round({number})"),
    "ms": ("epoch milliseconds", 1e11, "round({number} * 1e3)"),
    "s": ("epoch seconds", 1e8, "round({number} * 1e6)"),
}
OLDEST_EPOCH: Final = EPOCH["s"][1]

# Option -> name, days from that day 0 to 1970. Excel counts a 29 February 1900 that did not exist.
DAY_COUNTS: Final = {"excel": ("Excel serials", 25_569), "days": ("days since 1970-01-01", 0)}
MAX_DAYS: Final = 2_958_465  # the end of the year 9999, as an Excel serial
OLDEST_SERIAL: Final = 32_874  # 1990, before the Web
MOST: Final = 0.9

# Numbers that only order become times from here on, in the largest unit that keeps them within ten years.
ORDER_START: Final = datetime(2000, 1, 1, tzinfo=UTC)
ORDER_SPAN_US: Final = 3_653 * DAY_US
ORDER_UNITS: Final = {
    "days": DAY_US,
    "hours": DAY_US // 24,
    "minutes": 60_000_000,
    "seconds": 1_000_000,
    "milliseconds": 1_000,
    "microseconds": 1,
}


@dataclass(frozen=True)
class NumberColumn:
    """A column of numbers; `cells` is a sample of them, at least one."""

    column: TimeColumn
    cells: list[Cell]

    @property
    def text(self) -> str:
        return f"replace({self.column.text}, ',', '.')"

    @property
    def number(self) -> str:
        """SQL for the DOUBLE of a cell, NULL for NaN and other text."""
        number = f"TRY_CAST({self.text} AS DOUBLE)"
        return f"CASE WHEN isfinite({number}) THEN {number} END"

    @property
    def sizes(self) -> list[float]:
        """The absolute numbers of the sample."""
        return [abs(float(cell.text.replace(",", "."))) for cell in self.cells]

    def format(self, label: str, micros: str, local: str = "NULL") -> TimeFormat:
        return TimeFormat(label, f"TRY_CAST({micros} AS BIGINT)", local)


def read_numbers(column: NumberColumn, options: TimeOptions) -> TimeFormat:
    """Return the format of a column of numbers.

    Raises:
        StepError: the numbers are no times in any form.
    """
    stated = options.time_format
    if stated in EPOCH:
        return column.format(f"{EPOCH[stated][0]} (as stated)", _epoch_micros(column, stated))
    if stated in DAY_COUNTS:
        return _day_count(column, stated, options)
    if stated == "order":
        return _order(column)
    if form := detect_digits(column.column, column.cells):
        return read_digits(column.column, form, options)
    if median(column.sizes) >= OLDEST_EPOCH:
        return _epoch(column)
    return _small_numbers(column, options)


def _epoch(column: NumberColumn) -> TimeFormat:
    """Convert each number by its size: the units don't overlap from 1973 to 5138."""
    usual = _unit(median(column.sizes))
    others = sorted({_unit(size) for size in column.sizes} - {usual})
    label = EPOCH[usual][0]
    if others:
        label += f", and some {', '.join(EPOCH[unit][0] for unit in others)}: each is read by its size"
    cases = " ".join(
        f"WHEN abs({column.number}) >= {EPOCH[unit][1]!r} THEN {_epoch_micros(column, unit)}"
        for unit in ("ns", "us", "ms")
    )
    return column.format(label, f"CASE {cases} ELSE {_epoch_micros(column, 's')} END")


def _unit(size: float) -> str:
    """Return the unit of an epoch number; numbers before 1973 count as seconds."""
    return next((unit for unit, (_, least, _) in EPOCH.items() if size >= least), "s")


def _epoch_micros(column: NumberColumn, unit: str) -> str:
    return EPOCH[unit][2].format(text=column.text, number=column.number)


def _small_numbers(column: NumberColumn, options: TimeOptions) -> TimeFormat:
    """Tell Excel serials from numbers that only order, by all numbers of the column."""
    newest_serial = (datetime.now(UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days + 25_569 + 366
    number = column.number
    ((numbers, serials, wholes, least),) = column.column.relation.aggregate(
        f"count({number}), count(*) FILTER ({number} BETWEEN {OLDEST_SERIAL} AND {newest_serial}), "
        f"count(*) FILTER ({number} = trunc({number})), min({number})"
    ).fetchall()
    if serials >= MOST * numbers:
        return _day_count(column, "excel", options)
    if wholes == numbers and least >= 0:
        return _order(column)
    raise column.column.error(
        column.cells[0],
        "this is no epoch number, Excel serial or date, and not all cells are whole numbers from 0 on, which "
        f"would give an order. Expected {EXPECTED}",
    )


def _day_count(column: NumberColumn, unit: str, options: TimeOptions) -> TimeFormat:
    """Convert days, with the time of day as a fraction, to the millisecond."""
    label, days_to_1970 = DAY_COUNTS[unit]
    milliseconds = f"CAST(round(({column.number} - {days_to_1970}) * 86400000) AS BIGINT)"
    in_range = f"{column.number} BETWEEN 0 AND {MAX_DAYS}"
    local = f"CASE WHEN {in_range} THEN make_timestamp({milliseconds} * 1000) END"
    label += f", {zone_words(1, 1, options.timezone)}"
    return column.format(label, utc_micros(local, options.zone), local)


def _order(column: NumberColumn) -> TimeFormat:
    """Convert whole numbers that only order the interactions."""
    number = column.number
    ((least, most, row),) = column.column.relation.aggregate(
        f"min({number}), max({number}), min(source_row) FILTER ({number} <> trunc({number}))"
    ).fetchall()
    first = min(least, 0)
    unit = next((u for u, size in ORDER_UNITS.items() if (most - first) * size <= ORDER_SPAN_US), None)
    if row is not None or unit is None:
        where = f"row {row} has a fraction" if unit else f"they go from {least:.0f} to {most:.0f}"
        raise column.column.error(column.cells[0], f"expected whole numbers that give an order, but {where}")
    start = round(ORDER_START.timestamp() * 1e6)
    label = (
        f"numbers from {least:.0f} to {most:.0f} without a unit: only their order counts, as {unit} from "
        f"{ORDER_START:%Y-%m-%d} on"
    )
    return column.format(label, f"{start} + ({number} - {first!r}) * {ORDER_UNITS[unit]}")
