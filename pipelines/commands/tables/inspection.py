"""Builds what `penchant data inspect` prints."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from feature_repo.counts import counted

if TYPE_CHECKING:
    from components.ingest_interactions.inspection.file_inspection import Inspection

# Event types shown; more are a sign of a wrong column.
SHOWN_EVENT_TYPES = 20
LONGEST_CELL = 40


def inspection_report(inspection: "Inspection") -> Iterator[RenderableType]:
    """Yield the parts of the report, in order."""
    yield Text.assemble(
        (inspection.name, "bold"), f": {inspection.container}, {counted(inspection.rows, 'row')}"
    )
    for line in inspection.understood:
        yield Text(f"  {line}")
    yield _first_rows(inspection)
    if inspection.one_in > 1:
        yield Text(f"The figures are those of one in {inspection.one_in} users, chosen by a hash of the ids.")
    yield _figures(inspection.figures)
    if inspection.event_types:
        yield _event_types(inspection)
    if inspection.problems:
        yield Text("To look at:", style="yellow")
        for problem in inspection.problems:
            yield Text(f"  {problem}", style="yellow")
    yield Text("Nothing was written.", style="dim")


def _first_rows(inspection: "Inspection") -> Table:
    rows = inspection.first_rows
    columns = [name for name in rows[0] if any(row[name] is not None for row in rows)] if rows else []
    names = ["row" if name == "source_row" else name for name in columns]
    table = Table(*names, title="The first rows, as understood", title_justify="left")
    for row in rows:
        table.add_row(*(_cell(row[name]) for name in columns))
    return table


def _figures(figures: dict[str, str]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, text in figures.items():
        table.add_row(name, text)
    return table


def _event_types(inspection: "Inspection") -> Table:
    shown = inspection.event_types[:SHOWN_EVENT_TYPES]
    more = len(inspection.event_types) - len(shown)
    table = Table("event type", "as written", caption=f"and {more:,} more" if more else None)
    table.add_column("share", justify="right")
    table.add_column("meaning", overflow="fold")
    for event in shown:
        table.add_row(event.name, event.written, f"{event.share:.1%}", event.meaning)
    return table


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, list):
        value = ", ".join(map(str, value[:8]))
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"
