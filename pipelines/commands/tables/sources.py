"""Builds the tables of `penchant data list`."""

import time
from collections.abc import Sequence

from rich.table import Table

from components.ingest_interactions.warehouse.parts import Retraction
from components.ingest_interactions.warehouse.source_list import SourceTable


def sources_table(sources: Sequence[SourceTable]) -> Table:
    """Return one row for each table of each source; times are UTC."""
    table = Table()
    for name in ("source", "table", "rows", "from", "until", "ingested"):
        table.add_column(name, justify="right" if name == "rows" else "left", no_wrap=name != "source")
    for source in sources:
        table.add_row(
            source.source,
            source.table,
            f"{source.rows:,}",
            *(_time(time)[:10] for time in (source.first, source.last, source.ingested_at)),
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
