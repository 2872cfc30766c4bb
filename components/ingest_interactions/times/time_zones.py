"""Time zones: local times to UTC, abbreviations, and local times that daylight saving skips or repeats."""

import functools
import zoneinfo
from datetime import datetime
from typing import Final

from components.ingest_interactions.duckdb_session import literal
from components.ingest_interactions.times.time_column import TimeColumn
from feature_repo.bounds import MAX_LEAD_US

# Abbreviations with one meaning (RFC 2822, and others in wide use), in minutes east of UTC. IST and BST have
# several meanings: `abbreviations` takes them from the stated zone.
ABBREVIATIONS: Final = {
    "Z": 0,
    "UT": 0,
    "UTC": 0,
    "GMT": 0,
    "WET": 0,
    "WEST": 60,
    "CET": 60,
    "CEST": 120,
    "EET": 120,
    "EEST": 180,
    "MSK": 180,
    "HKT": 480,
    "SGT": 480,
    "JST": 540,
    "KST": 540,
    "AEST": 600,
    "AEDT": 660,
    "NZST": 720,
    "NZDT": 780,
    "EST": -300,
    "EDT": -240,
    "CST": -360,
    "CDT": -300,
    "MST": -420,
    "MDT": -360,
    "PST": -480,
    "PDT": -420,
    "AKST": -540,
    "AKDT": -480,
    "HST": -600,
}
MINUTE_US: Final = 60_000_000
MAX_OFFSET_HOURS: Final = 14


@functools.cache
def abbreviations(zone: str) -> dict[str, int]:
    """Return abbreviation -> minutes east of UTC, with the abbreviations of the stated zone."""
    offsets = dict(ABBREVIATIONS)
    for month in (1, 7):
        local = datetime(2024, month, 1, tzinfo=zoneinfo.ZoneInfo(zone))
        name, offset = local.tzname(), local.utcoffset()
        if name and name.isalpha() and offset is not None:
            offsets[name] = round(offset.total_seconds() / 60)
    return offsets


@functools.cache
def zone_names() -> dict[str, str]:
    """Return lower-case name -> IANA name."""
    # "localtime" is the zone of this machine: a file would mean other times on another machine.
    return {name.lower(): name for name in zoneinfo.available_timezones() - {"localtime"}}


def utc_micros(local: str, zone: str) -> str:
    """Return SQL for BIGINT µs since the epoch of a TIMESTAMP without a zone; NULL for an infinite one.

    A time that the clocks skip is read as one hour later, one that comes twice as the second.
    """
    finite = f"CASE WHEN isfinite({local}) THEN {local} END"
    return f"epoch_us({finite})" if zone == "UTC" else f"epoch_us(timezone({literal(zone)}, {finite}))"


def zone_words(without_offset: int, times: int, timezone: str) -> str:
    """Say which zone times are read in.

    Args:
        without_offset: number of the `times` that have no offset.
        timezone: the stated zone, "" for none.
    """
    if not without_offset:
        return "with an offset" + (", so --timezone is not used" if timezone else "")
    some = "" if without_offset == times else f"{without_offset:,} of {times:,} "
    return f"{some}without an offset, read as {timezone or 'UTC (--timezone names another zone)'}"


def daylight_saving_notes(column: TimeColumn, local: str, zone: str) -> list[str]:
    """Return a line for times that the clocks of the zone skip, and one for times that come twice.

    Args:
        local: SQL for the TIMESTAMP of a cell without an offset, else NULL.
    """
    if zone == "UTC":
        return []
    times = column.relation.select(f"source_row, {column.text} AS cell, {local} AS local_time")
    name, hour = literal(zone), "INTERVAL 1 HOUR"
    finite = "CASE WHEN isfinite(local_time) THEN local_time END"
    moments = times.select(f"*, timezone({name}, {finite}) AS moment")
    checked = moments.select(
        f"source_row, cell, timezone({name}, moment) <> local_time AS skipped, "
        f"timezone({name}, moment - {hour}) = local_time AS repeated"
    )
    meanings = {
        "skipped": f"do not exist in {zone}, because the clocks skip them; read as one hour later",
        "repeated": f"come twice in {zone}, because the clocks go back; read as the second",
    }
    aggregates = ", ".join(
        f"count(*) FILTER ({kind}), min(source_row) FILTER ({kind}), "
        f"arg_min(cell, source_row) FILTER ({kind})"
        for kind in meanings
    )
    (found,) = checked.aggregate(aggregates).fetchall()
    return [
        f"has {count:,} times such as {cell!r} (row {row}) that {meaning}"
        for (count, row, cell), meaning in zip((found[:3], found[3:]), meanings.values(), strict=True)
        if count
    ]


def future_note(column: str, newest: int | None, now: int) -> str:
    """Return a warning if the newest time is in the future by at most the offset of a time zone; else "".

    Args:
        newest, now: µs since the epoch; None for no time.
    """
    minutes = ((newest or 0) - now) // MINUTE_US
    if not MAX_LEAD_US // 60_000_000 <= minutes < MAX_OFFSET_HOURS * 60:
        return ""
    return (
        f"the newest {column} is {minutes // 60} h {minutes % 60} min in the future, as local times of a "
        f"zone {minutes // 60 + 1} h ahead of UTC would be. If the file has local times without an offset, "
        "name their zone, such as --timezone Europe/Berlin; --timezone UTC confirms UTC"
    )
