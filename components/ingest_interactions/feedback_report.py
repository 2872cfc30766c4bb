"""Learns the feedback policy of a snapshot, and reports the meaning of each event type."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from duckdb import DuckDBPyConnection

from components.errors import StepError
from components.ingest_interactions.duckdb_session import literal, paths
from components.ingest_interactions.feedback_options import FeedbackOptions
from components.ingest_interactions.warehouse.manifest import Warehouse
from components.progress import report
from feature_repo.event_types import IMPRESSION, KNOWN, RATE, Kind, canonical_event_type
from feature_repo.feedback import FeedbackPolicy
from feature_repo.rating_scale import RatingScale

# Unknown event types in one message; more are a sign of a wrong column.
SHOWN: Final = 8
LOG: Final = "log"


@dataclass(frozen=True)
class EventType:
    """An event type of the warehouse, as written there."""

    written: str
    source: str  # of its parts: "file", "log", or the name of a data set
    rows: int

    @property
    def name(self) -> str:
        return canonical_event_type(self.written)


def count_event_types(connection: DuckDBPyConnection, warehouse: Warehouse) -> list[EventType]:
    """Return the event types of the interactions by source, most rows first."""
    counted = []
    for source in dict.fromkeys(
        part.source for part in warehouse.watermarks.parts if part.table == "interactions"
    ):
        parts = warehouse.parts("interactions", source)
        rows = connection.execute(f"SELECT event_type, count(*) FROM {parts} GROUP BY 1").fetchall()
        counted += [EventType(written or "", source, count) for written, count in rows]
    return sorted(counted, key=lambda event: (-event.rows, event.written, event.source))


def check_known(event_types: Iterable[EventType], options: FeedbackOptions) -> None:
    """Refuse unknown event types, except those that clients recorded: these are neutral.

    Raises:
        StepError: names them, and the options that say what they mean.
    """
    if options.all_positive:
        return
    unknown = [e for e in event_types if e.source != LOG and not _is_known(e.name, options)]
    if not unknown:
        return
    names = ", ".join(f"{event.name!r} ({event.rows:,} rows)" for event in unknown[:SHOWN])
    more = f" and {len(unknown) - SHOWN:,} more; is this the column of the event type?" * (
        len(unknown) > SHOWN
    )
    first = unknown[0].name
    raise StepError(
        f"unknown event types: {names}{more}. Say what each one means: --positive {first} (interest; "
        f"--positive {first}=3 counts three times), --negative {first}, --neutral {first} (no opinion), "
        f"--exposure {first} (shown to the user), several separated by commas; or --all-positive. "
        "The warehouse is unchanged"
    )


def learn_feedback(
    connection: DuckDBPyConnection, interactions: Path, options: FeedbackOptions
) -> FeedbackPolicy:
    """Return the policy: the user's options, and the rating scale of the snapshot's ratings."""
    counted = connection.execute(
        f"SELECT value, count(*) AS rows FROM read_parquet({paths([str(interactions)])}) "
        "WHERE event_type = ? AND isfinite(value) GROUP BY value ORDER BY value",
        [RATE],
    ).fetchnumpy()
    values, rows = counted["value"], counted["rows"]
    ratings = RatingScale.learn(values, rows, options.min_value)
    policy = FeedbackPolicy(options.kinds, options.weights, ratings, options.all_positive)
    if options.all_positive:
        report("ratings: every interaction is positive (--all-positive), whatever its value")
    elif ratings:
        report(_describe_scale(ratings))
    elif len(values):
        report(
            f"values of {RATE!r} are amounts, {values[0]:g} to {values[-1]:g}, and no rating scale: each of "
            f"these {rows.sum():,} interactions is positive; --min-value N says from where liking begins"
        )
    elif options.min_value is not None:
        report(f"--min-value {options.min_value:g} has no effect: no {RATE!r} has a value")
    return policy


def report_event_types(event_types: Iterable[EventType], policy: FeedbackPolicy) -> None:
    """Report a table: event type, as written, rows, kind, weight."""
    merged: dict[str, dict[str, int]] = {}
    for event in event_types:
        spellings = merged.setdefault(event.name, {})
        spellings[event.written] = spellings.get(event.written, 0) + event.rows
    lines = [("event type", "as written", "rows", "kind", "weight")]
    for name, spellings in sorted(merged.items(), key=lambda pair: -sum(pair[1].values())):
        others = [spelling for spelling in spellings if spelling != name]
        lines.append(
            (name or "(none)", ", ".join(others), f"{sum(spellings.values()):,}", *_meaning(name, policy))
        )
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    for name, written, rows, kind, weight in lines:
        cells = (
            name.ljust(widths[0]),
            written.ljust(widths[1]),
            rows.rjust(widths[2]),
            kind.ljust(widths[3]),
            weight,
        )
        report("  ".join(cell for cell, width in zip(cells, widths, strict=True) if width).rstrip())


def snapshot_event_type(event_types: Iterable[EventType], options: FeedbackOptions) -> str:
    """Return SQL that converts the column event_type: known spellings, and exposures to "impression"."""
    renamed = {}
    for event in event_types:
        exposed = options.kinds.get(event.name) is Kind.EXPOSURE
        name = IMPRESSION if exposed else event.name
        if name != event.written:
            renamed[event.written] = name
    if not renamed:
        return "event_type"
    cases = " ".join(f"WHEN {literal(old)} THEN {literal(new)}" for old, new in sorted(renamed.items()))
    return f"CASE event_type {cases} ELSE event_type END"


def _is_known(name: str, options: FeedbackOptions) -> bool:
    return not name or name in KNOWN or name in options.kinds


def _meaning(name: str, policy: FeedbackPolicy) -> tuple[str, str]:
    """Return kind and weight in words."""
    kind, weight = policy.kind(name), f"{policy.weight(name):g}"
    if name == RATE and policy.ratings is not None and not policy.all_positive and kind is Kind.POSITIVE:
        return "by value", weight
    if not policy.all_positive and name not in KNOWN and name not in policy.kinds:
        return f"neutral (unknown; --positive {name} or --negative {name} says otherwise)", ""
    return kind, weight if kind in (Kind.POSITIVE, Kind.NEGATIVE) else ""


def _describe_scale(ratings: RatingScale) -> str:
    scale = f"ratings from {ratings.low:g} to {ratings.high:g}, mean {ratings.mean:.2f}"
    if ratings.like_from is not None:
        return f"{scale}: liking begins at {ratings.like_from:g} (--min-value)"
    low, high = ratings.like_range
    return (
        f"{scale}: liking begins at each user's own mean, between {low:.2f} and {high:.2f} "
        "(--min-value N sets it)"
    )
