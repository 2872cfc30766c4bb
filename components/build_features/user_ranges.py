"""Divides tables into ranges of user ids, so that each range fits into memory."""

import ibis
import ibis.expr.types as ir

from components.compute.engine import fetch


def user_ranges(rows: ir.Table, size: int) -> list[tuple[str, str]]:
    """Return the first and the last user id of consecutive ranges with about `size` of the rows each."""
    counts = rows.group_by("user_id").agg(rows=rows.count())
    so_far = ibis.window(order_by="user_id", preceding=None, following=0)
    parts = counts.mutate(part=counts.rows.sum().over(so_far) // size)
    ranges = parts.group_by("part").agg(first=parts.user_id.min(), last=parts.user_id.max())
    return [(row["first"], row["last"]) for row in fetch(ranges.order_by("part")).to_pylist()]


def in_range(rows: ir.Table, users: tuple[str, str]) -> ir.Table:
    """Return the rows of the users from the first to the last id of a range."""
    return rows.filter(rows.user_id.between(*users))
