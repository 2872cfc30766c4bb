"""The event types of the warehouse: counted, checked, and written as the contract knows them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from duckdb import DuckDBPyConnection

from components.errors import StepError
from components.ingest_interactions.duckdb_session import literal
from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
from components.ingest_interactions.warehouse.manifest import Warehouse
from feature_repo.counts import counted
from feature_repo.event_types import IMPRESSION, KNOWN, Kind, canonical_event_type

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
    names = ", ".join(f"{event.name!r} ({counted(event.rows, 'row')})" for event in unknown[:SHOWN])
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
