"""How much, and how well, each item was received lately."""

from datetime import timedelta

import ibis
import ibis.expr.types as ir

from components.build_features.times import microseconds, moment

WINDOWS_DAYS = (1, 7, 30)


def build_item_statistics(interactions: ir.Table, items: ir.Table, as_of: int) -> ir.Table:
    """One row per item: interactions and mean value in each window before `as_of` (µs) and in all, users."""
    grouped = interactions.group_by("item_id").agg(
        interactions=interactions.count(),
        users=interactions.user_id.nunique(),
        mean_value=interactions.value.mean(),
        last_seen=microseconds(interactions.timestamp).max(),
        **_windows(interactions, as_of),
    )
    joined = items.select("item_id").left_join(grouped, "item_id").select(items.item_id, *grouped.columns[1:])
    counts = [name for name in joined.columns if name.startswith(("interactions", "users"))]
    return joined.mutate(**{name: ibis.coalesce(joined[name], 0) for name in counts})


def _windows(interactions: ir.Table, as_of: int) -> dict[str, ir.Value]:
    figures: dict[str, ir.Value] = {}
    for days in WINDOWS_DAYS:
        since = ibis.literal(moment(as_of) - timedelta(days=days))
        recent = interactions.timestamp >= since
        figures[f"interactions_{days}d"] = recent.sum()
        figures[f"mean_value_{days}d"] = interactions.value.mean(where=recent)
    return figures
