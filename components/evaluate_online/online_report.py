"""Evaluates what users did with what they were shown in a window of time."""

import tempfile
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from components.evaluate_online.attribution import CONVERSIONS, AttributedEvents, Touch, attribute
from components.evaluate_online.catalog_facts import load_popularity, load_segments
from components.evaluate_online.online_metrics import OnlineSlice, measure
from components.evaluate_online.provider_exposure import ExposureOverTime, exposure_over_time
from components.evaluate_online.recorded_window import read_window
from components.ingest_interactions.duckdb_session import connect
from components.ingest_interactions.warehouse.manifest import Warehouse

HOUR_US = 3_600_000_000


@dataclass(frozen=True)
class Attribution:
    """How interactions are attributed to answers; components.evaluate_online.attribution explains it."""

    window_hours: float = 24.0
    touch: Touch = "last"
    conversions: Collection[str] = CONVERSIONS


@dataclass(frozen=True)
class OnlineReport:
    """The metrics of a window."""

    start: int  # µs since the epoch
    end: int
    attribution: Attribution
    events: AttributedEvents
    catalog_items: int | None
    slices: list[OnlineSlice]
    exposure: ExposureOverTime | None = None  # of providers; None without a column that names them

    @property
    def total(self) -> OnlineSlice:
        """The metrics of all places."""
        return self.slices[0]


def evaluate_online(
    url: str,
    warehouse: str,
    start: int,
    end: int,
    attribution: Attribution,
    folder: Path | None = None,
    provider_column: str = "",
) -> OnlineReport:
    """Return the report of what was shown from `start` until before `end`, µs since the epoch.

    Args:
        url: of the interaction log.
        warehouse: a folder or URL; its users, items and interactions give segments, coverage and novelty.
        folder: keeps exposures.parquet and events.parquet there, if given.
        provider_column: of the items, which names their provider; "" for none.

    Raises:
        ValueError: nothing was shown in the window.
        StepError: the log can't be read, or the items have no such column.
    """
    window_us = round(attribution.window_hours * HOUR_US)
    until = min(end + window_us, time.time_ns() // 1000 + HOUR_US)
    store = Warehouse(warehouse)
    with (
        tempfile.TemporaryDirectory(prefix="penchant-") as temporary,
        connect(store.filesystem) as connection,
    ):
        recorded = read_window(url, store, start, end, until, folder or Path(temporary))
        events = attribute(connection, recorded, window_us, attribution.touch, attribution.conversions)
        catalog_items = load_popularity(connection, store)
        slices = measure(connection, catalog_items, load_segments(connection, store))
        if not slices:
            raise ValueError("the answers of this window showed no item, or bots alone asked for them")
        exposure = (
            exposure_over_time(connection, store, provider_column, end - start) if provider_column else None
        )
    return OnlineReport(start, end, attribution, events, catalog_items, slices, exposure)
