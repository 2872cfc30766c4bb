"""Reports a table of the event types and of what each one means."""

from collections.abc import Iterable

from components.ingest_interactions.feedback.event_types import EventType
from components.progress import report
from feature_repo.event_types import KNOWN, RATE, Kind
from feature_repo.feedback import FeedbackPolicy


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


def _meaning(name: str, policy: FeedbackPolicy) -> tuple[str, str]:
    """Return kind and weight in words."""
    kind, weight = policy.kind(name), f"{policy.weight(name):g}"
    if name == RATE and policy.ratings is not None and not policy.all_positive and kind is Kind.POSITIVE:
        return "by value", weight
    if not policy.all_positive and name not in KNOWN and name not in policy.kinds:
        return f"neutral (unknown; --positive {name} or --negative {name} says otherwise)", ""
    return kind, weight if kind in (Kind.POSITIVE, Kind.NEGATIVE) else ""
