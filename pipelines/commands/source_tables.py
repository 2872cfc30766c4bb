"""Builds the tables of `penchant data list`."""

import time
from collections.abc import Sequence

from rich.table import Table

from components.ingest_interactions.warehouse.parts import Retraction
from components.ingest_interactions.warehouse.source_list import SourceTable


def sources_table(sources: Sequence[SourceTable]) -> Table:
    """Return one row for each table of each source; times are UTC."""
    table = Table()
    table.add_column("source", overflow="fold")
    table.add_column("table")
    table.add_column("rows", justify="right")
    table.add_column("from")
    table.add_column("until")
    table.add_column("ingested")
    table.add_column("parts", justify="right")
    table.add_column("place", overflow="fold")
    for source in sources:
        table.add_row(
            source.source,
            source.table,
            f"{source.rows:,}",
            _time(source.first)[:10],
            _time(source.last)[:10],
            _time(source.ingested_at),
            str(source.parts),
            source.location,
        )
    return table


def retractions_table(retractions: Sequence[Retraction]) -> Table:
    """Return one row for each retraction, oldest first."""
    table = Table("retraction", "source", "conditions", title="Retractions", title_justify="left")
    table.add_column("rows", justify="right")
    table.add_column("withdrawn")
    for retraction in retractions:
        conditions = " and ".join(retraction.conditions)
        number, rows = str(retraction.number), f"{retraction.rows:,}"
        table.add_row(number, retraction.source or "all", conditions, rows, _time(retraction.at))
    return table


def _time(micros: int | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(micros / 1_000_000)) if micros else ""
