"""Figures of a file of interactions, from the view `inspected`."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from duckdb import DuckDBPyConnection

from components.ingest_interactions.out_of_bounds import out_of_bounds
from components.ingest_interactions.times.time_zones import future_note
from feature_repo.counts import counted
from feature_repo.event_types import KNOWN, RATE, canonical_event_type

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

FIGURES: Final = """
    SELECT count(*), count(DISTINCT user_id), count(DISTINCT item_id), min("timestamp"), max("timestamp"),
        count(DISTINCT (user_id, "timestamp")), count(DISTINCT (interaction_id, user_id, item_id))
    FROM inspected
"""
PER_USER: Final = """
    SELECT quantile_disc(rows, 0.5), max(rows) FROM (
        SELECT count(*) AS rows FROM inspected WHERE user_id IS NOT NULL GROUP BY user_id
    )
"""


@dataclass(frozen=True)
class EventShare:
    """An event type: its name, the spellings in the file, its share of the rows, and what it means."""

    name: str
    written: str
    rows: int
    share: float
    meaning: str


def interaction_figures(connection: DuckDBPyConnection, one_in: int, file_rows: int) -> dict[str, str]:
    """Return name -> text; counts of a sample are multiplied, or named as what they are.

    Args:
        one_in: the figures are about one of this many users.
        file_rows: the rows of the file, each of which may be several interactions.
    """
    rows, users, items, first, last, steps, distinct = connection.execute(FIGURES).fetchall()[0]
    median, most = connection.execute(PER_USER).fetchall()[0]
    about = "about " if one_in > 1 else ""
    figures = {
        "interactions": f"{about}{rows * one_in:,} in {counted(file_rows, 'row')}",
        "users": f"{about}{users * one_in:,}",
        "interactions of a user": f"median {median or 0:,}, at most {most or 0:,}",
        "items": f"at least {items:,}" if one_in > 1 else f"{items:,}",
        "time": _span(first, last),
        "steps": f"{rows / max(steps, 1):.2f} interactions of a user have the same time, on average",
        "duplicates": f"{about}{(rows - distinct) * one_in:,}: rows that say the same; one of each counts",
    }
    ratings = connection.execute(
        f"SELECT count(value), min(value), max(value), avg(value) FROM inspected WHERE event_type = '{RATE}'"
    ).fetchall()[0]
    if ratings[0]:
        figures["ratings"] = f"from {ratings[1]:g} to {ratings[2]:g}, mean {ratings[3]:.2f}"
    return figures


def event_shares(connection: DuckDBPyConnection) -> list[EventShare]:
    """Return the event types, most frequent first."""
    counted = connection.execute(
        "SELECT event_type, count(*) AS rows FROM inspected GROUP BY 1 ORDER BY rows DESC, event_type"
    ).fetchall()
    total = sum(rows for _, rows in counted)
    names: dict[str, Counter[str]] = {}
    for written, rows in counted:
        names.setdefault(canonical_event_type(written), Counter())[written] = rows
    return sorted(
        (
            EventShare(
                name,
                ", ".join(spelling for spelling in spellings if spelling != name),
                spellings.total(),
                spellings.total() / total,
                _meaning(name),
            )
            for name, spellings in names.items()
        ),
        key=lambda event: -event.rows,
    )


def set_aside(connection: DuckDBPyConnection, now: int, is_zone_unknown: bool) -> list[str]:
    """Return the interactions that validation would set aside, a line for each reason.

    Args:
        now: µs since the epoch.
        is_zone_unknown: whether the time zone of the file was not stated.
    """
    lines = []
    for reason, condition in out_of_bounds(now).items():
        rows, total, first = connection.execute(
            f"SELECT count(*) FILTER ({condition}), count(*), "
            f"min(source_row) FILTER ({condition}) FROM inspected"
        ).fetchall()[0]
        if rows:
            lines.append(
                f"{counted(rows, 'interaction')} ({rows / total:.1%}) set aside: {reason}, first in "
                f"row {first}"
            )
    newest = connection.execute('SELECT max("timestamp") FROM inspected').fetchall()[0][0]
    note = future_note("timestamp", newest, now) if is_zone_unknown and newest is not None else None
    return [*lines, *([note] if note else [])]


def _span(first: int | None, last: int | None) -> str:
    if first is None or last is None:
        return "no times"
    start, end = (EPOCH + timedelta(microseconds=moment) for moment in (first, last))
    days = (end - start).total_seconds() / 86_400
    return f"{start:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S} UTC, {days:,.1f} days"


def _meaning(name: str) -> str:
    if name not in KNOWN:
        return f"unknown: --positive {name}, --negative {name}, --neutral {name} or --exposure {name}"
    return "by value" if name == RATE else KNOWN[name][0].value
