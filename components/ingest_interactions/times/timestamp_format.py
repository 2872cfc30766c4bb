"""Detects the format of a time column: a time type, text, or numbers."""

from dataclasses import replace
from typing import Final

from duckdb import DuckDBPyRelation

from components.errors import StepError
from components.ingest_interactions.duckdb_session import literal, quote
from components.ingest_interactions.times.number_times import NumberColumn, read_numbers
from components.ingest_interactions.times.text_patterns import MISSING, NUMBER
from components.ingest_interactions.times.text_times import read_text
from components.ingest_interactions.times.time_column import TimeColumn
from components.ingest_interactions.times.time_format import TimeFormat
from components.ingest_interactions.times.time_options import NUMBER_FORMATS, TimeOptions
from components.ingest_interactions.times.time_zones import daylight_saving_notes, utc_micros, zone_words

NO_OPTIONS: Final = TimeOptions()


def detect(
    relation: DuckDBPyRelation, column: str, name: str, options: TimeOptions = NO_OPTIONS
) -> TimeFormat:
    """Return the format of most of the first 10,000 values of `column`.

    Args:
        relation: unconverted columns and `source_row`.
        name: the source in messages.

    Raises:
        StepError: the values are no times, or ambiguous; the message has a row, its cell and an option.
    """
    times = TimeColumn(relation, column, name)
    found = _detect(times, options)
    missing = f"regexp_matches({times.text}, {literal(MISSING.pattern)})"
    found = replace(found, invalid=f"{found.sql} IS NULL AND NOT {missing}")
    if found.local == "NULL":
        unused = "; --timezone is not used" if options.timezone and "--timezone" not in found.label else ""
        return replace(found, label=found.label + unused)
    return replace(found, notes=tuple(daylight_saving_notes(times, found.local, options.zone)))


def _detect(column: TimeColumn, options: TimeOptions) -> TimeFormat:
    kind, stated = column.type, options.time_format
    if kind.startswith(("TIMESTAMP", "DATE")):
        return _typed(column, options)
    if not is_number(kind) and kind != "VARCHAR":
        raise StepError(
            f"{column.source}: column {column.name} has the type {kind}; expected times, text or numbers"
        )
    cells = column.sample()
    if not cells:
        return TimeFormat("times, all of them missing", "NULL::BIGINT")
    if stated and stated not in NUMBER_FORMATS:
        return _stated(column, options)
    numbers = [cell for cell in cells if NUMBER.match(cell.text)]
    if stated and not numbers:
        raise column.error(cells[0], f"expected a number, because of --time-format {stated}")
    if stated or 2 * len(numbers) > len(cells):
        return read_numbers(NumberColumn(column, numbers), options)
    return read_text(column, cells, options)


def _typed(column: TimeColumn, options: TimeOptions) -> TimeFormat:
    kind, identifier = column.type, quote(column.name)
    unused = f"; --time-format {options.time_format} is not used" if options.time_format else ""
    if kind == "TIMESTAMP WITH TIME ZONE" or kind.startswith("TIMESTAMPTZ"):
        moment = f"{identifier}::TIMESTAMPTZ"
        label = f"{kind.lower()}, {zone_words(0, 1, options.timezone)}{unused}"
        return TimeFormat(label, f"epoch_us(CASE WHEN isfinite({moment}) THEN {moment} END)")
    local = f"{identifier}::TIMESTAMP"
    label = f"{kind.lower()} {zone_words(1, 1, options.timezone)}{unused}"
    return TimeFormat(label, utc_micros(local, options.zone), local)


def _stated(column: TimeColumn, options: TimeOptions) -> TimeFormat:
    """Read text, or numbers as text, in the stated strptime format."""
    stated = options.time_format
    text = f"regexp_replace({column.text}, '^([0-9]+)[.]0$', '\\1')"
    time = f"try_strptime({text}, {literal(stated)})"
    expected = f"a time in the format {stated!r} of --time-format"
    if "%z" in stated or "%Z" in stated:
        label = f"{stated} (as stated), {zone_words(0, 1, options.timezone)}"
        return TimeFormat(label, f"epoch_us({time})", expected=expected)
    label = f"{stated} (as stated), {zone_words(1, 1, options.timezone)}"
    return TimeFormat(label, utc_micros(time, options.zone), time, expected=expected)


def is_number(kind: str) -> bool:
    """Return whether an SQL type is numeric."""
    return (
        kind in {"FLOAT", "DOUBLE"} or kind.startswith("DECIMAL") or kind.endswith("INT") or "INTEGER" in kind
    )
