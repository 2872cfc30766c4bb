"""The SQL that reads times written as text."""

from collections.abc import Iterable, Mapping
from typing import Final

from components.ingest_interactions.duckdb_session import literal
from components.ingest_interactions.times.text_patterns import COMPACT, ISO, NUMERIC, PATTERNS, PLAIN, groups
from components.ingest_interactions.times.time_zones import utc_micros

MONTHS: Final = "janfebmaraprmayjunjulaugsepoctnovdec"


def micros(
    text: str,
    spellings: Iterable[str],
    day_first: bool,
    zone: str,
    minutes: Mapping[str, int],
    zones: Iterable[str],
) -> str:
    """Return SQL for BIGINT µs since the epoch, NULL for a text of another spelling.

    Args:
        text: SQL for the text of a cell.
        zone: the IANA zone of times without an offset.
        minutes: abbreviation -> minutes east of UTC.
        zones: other IANA names that occur in the text.
    """
    abbreviated = " ".join(f"WHEN {literal(name)} THEN {offset}" for name, offset in minutes.items())
    named = " ".join(
        f"WHEN lower(part.zone) = {literal(name.lower())} THEN {utc_micros('stamp', name)}" for name in zones
    )
    hours, rest = (
        f"coalesce(TRY_CAST(part.{field} AS BIGINT), 0)" for field in ("offset_hours", "offset_minutes")
    )
    offset = f"{hours} * 60 + {rest}"
    moment = (
        f"CASE WHEN part.sign = '-' THEN epoch_us(stamp) + 60000000::BIGINT * ({offset}) "
        f"WHEN part.sign = '+' THEN epoch_us(stamp) - 60000000::BIGINT * ({offset}) "
        f"WHEN part.zone = '' THEN {utc_micros('stamp', zone)} {named} "
        f"ELSE epoch_us(stamp) - 60000000::BIGINT * CASE upper(part.zone) {abbreviated} END END"
    )
    plain = f"TRY_CAST({text} AS TIMESTAMP)"
    return _read(text, spellings, day_first, moment, utc_micros(plain, zone))


def local_time(text: str, spellings: Iterable[str], day_first: bool) -> str:
    """Return SQL for the TIMESTAMP of a text without an offset, else NULL."""
    without = "CASE WHEN part.sign = '' AND part.zone = '' THEN stamp END"
    return _read(text, spellings, day_first, without, f"TRY_CAST({text} AS TIMESTAMP)")


def parts(text: str, spelling: str) -> str:
    """Return SQL for the struct of the groups of a spelling's pattern; all '' for another spelling."""
    pattern = PATTERNS[spelling]
    return f"regexp_extract({text}, {literal(pattern.pattern)}, {groups(pattern)!r})"


def _read(text: str, spellings: Iterable[str], day_first: bool, result: str, plain: str) -> str:
    # A lambda over a list of one element names a value, so that the pattern is matched once.
    candidates = ", ".join(
        f"list_transform([{parts(text, spelling)}], lambda part: "
        f"list_transform([{_stamp(spelling, day_first)}], lambda stamp: {result})[1])[1]"
        for spelling in spellings
    )
    return (
        f"CASE WHEN regexp_full_match({text}, {literal(PLAIN)}) THEN {plain} ELSE coalesce({candidates}) END"
    )


def _stamp(spelling: str, day_first: bool) -> str:
    """Return SQL for the TIMESTAMP of the struct `part`; NULL if its numbers are no date."""
    month, day = "part.month", "part.day"
    if spelling == NUMERIC:
        month, day = "part.second_number", "part.first_number"
        if not day_first:
            month, day = day, month
    elif spelling not in {ISO, COMPACT}:
        month = f"((strpos({literal(MONTHS)}, lower(part.month[:3])) + 2) // 3)::VARCHAR"
    hour = "coalesce(TRY_CAST(part.hour AS INTEGER), 0)"
    if "half" in PATTERNS[spelling].groupindex:
        afternoon = "lower(part.half) = 'p'"
        hour = (
            f"CASE WHEN part.half = '' OR ({hour} > 12 AND {afternoon}) THEN {hour} "
            f"WHEN {hour} <= 12 THEN {hour} % 12 + CASE WHEN {afternoon} THEN 12 ELSE 0 END END"
        )
    clock = " || ':' || ".join(
        [f"({hour})::VARCHAR", _or_zero("part.minute"), f"replace({_or_zero('part.second')}, '60', '59')"]
    )
    date = f"part.year || '-' || {month} || '-' || {day}"
    return f"TRY_CAST({date} || ' ' || {clock} || '.' || {_or_zero('part.fraction')} AS TIMESTAMP)"


def _or_zero(digits: str) -> str:
    return f"if({digits} = '', '0', {digits})"
