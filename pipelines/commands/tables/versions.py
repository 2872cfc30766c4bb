"""Versions and the history of their reviews as tables."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    # Their modules import SQLAlchemy, which most commands do not need.
    from components.register_release.review_history import Record
    from components.register_release.reviewed_versions import ReviewedVersion


def versions_table(
    versions: Sequence["ReviewedVersion"], live: int | None, previous: int | None = None
) -> Table:
    """Return one row per version, in the given order; `previous` is what a rollback brings."""
    table = Table("version", "state", "NDCG@10", "HR@10", "gate", "review", "by", "registered (UTC)")
    states = {previous: "previous", live: "live"}
    newest_waiting = next((version.number for version in versions if version.review == "waiting"), None)
    for version in versions:
        state = states.get(version.number, "candidate" if version.number == newest_waiting else "")
        table.add_row(
            str(version.number),
            "pruned" if version.is_pruned else state,
            version.figures.get("ndcg_at_10", ""),
            version.figures.get("hr_at_10", ""),
            version.figures.get("gate_decision", ""),
            version.review,
            Text(version.by),
            version.registered_at[:16].replace("T", " "),
        )
    return table


def history_table(records: Sequence["Record"], title: str | None = None) -> Table:
    """Show the records of the review history, oldest first."""
    headings = ("when (UTC)", "version", "what", "by", "reason", "live before → after")
    table = Table(*headings, title=title, title_justify="left")
    for record in records:
        live = (record.live_before, record.live_after)
        change = " → ".join("none" if version is None else str(version) for version in live)
        table.add_row(
            record.at[:16].replace("T", " "),
            str(record.version),
            record.act + (" (recorded later)" if record.recorded_at else ""),
            Text(record.by),
            Text(record.reason),
            change if live != (None, None) else "",
        )
    return table
