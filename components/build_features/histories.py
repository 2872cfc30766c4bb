"""A user's history as of a moment, for any number of moments, at a cost that grows with the rows alone."""

from collections.abc import Callable, Iterator

import ibis
import ibis.expr.types as ir

from components.build_features.times import TIMESTAMP, microseconds
from feature_repo.contract import MAX_HISTORY

# History list -> the column of an interaction that it holds.
LISTS = {
    "interaction_ids": "interaction_id",
    "item_ids": "item_id",
    "event_types": "event_type",
    "values": "value",
    "timestamps": "micros",
}

# Moments whose histories are computed at once; at most 200 interactions each, so it bounds the memory.
MOMENTS_PER_PART = 25_000


def build_histories(interactions: ir.Table, moments: ir.Table, max_history: int = MAX_HISTORY) -> ir.Table:
    """The last `max_history` interactions strictly before each moment, oldest first; empty lists when none.

    Args:
        interactions: the contract's columns.
        moments: user_id, cutoff; distinct.

    Returns:
        user_id, cutoff and the five lists of a History; a missing value is NaN.

    A user's interactions are laid in order into blocks of `max_history`. A history ends within one block and
    begins within it or the one before, so it is cut from two blocks: a join on equality, never one row per
    pair of moment and interaction.
    """
    blocks = _blocks(interactions, max_history)
    ends = _ends(interactions, moments)
    ends = ends.mutate(block=(ends.end - 1) // max_history)
    newer = blocks.rename(newer="history")
    older = blocks.select("user_id", block=blocks.block + 1, older=blocks.history)
    joined = ends.left_join(newer, ["user_id", "block"]).select(ends, "newer")
    joined = joined.left_join(older, ["user_id", "block"]).select(joined, "older")
    empty = ibis.literal([], type=blocks.history.type())
    span = ibis.coalesce(joined.older, empty).concat(ibis.coalesce(joined.newer, empty))
    # What lies in blocks before `older` counts in the position, but is not in the span.
    stop = joined.end - ibis.greatest(joined.block - 1, 0) * max_history
    cut = joined.mutate(history=span[ibis.greatest(stop - max_history, 0) : stop])
    lists = {name: cut.history.map(_field(column)) for name, column in LISTS.items()}
    return cut.select("user_id", "cutoff", **lists)


def in_parts(
    interactions: ir.Table, moments: ir.Table, size: int = MOMENTS_PER_PART
) -> Iterator[tuple[ir.Table, ir.Table]]:
    """Interactions and moments of one range of user ids after the other, about `size` moments each."""
    counts = moments.group_by("user_id").agg(moments=moments.count())
    so_far = ibis.window(order_by="user_id", preceding=None, following=0)
    placed = counts.mutate(part=counts.moments.sum().over(so_far) // size)
    ranges = placed.group_by("part").agg(first=placed.user_id.min(), last=placed.user_id.max())
    for row in ranges.order_by("part").to_pyarrow().to_pylist():
        first, last = row["first"], row["last"]
        yield tuple(table.filter(table.user_id.between(first, last)) for table in (interactions, moments))


def _blocks(interactions: ir.Table, max_history: int) -> ir.Table:
    """user_id, block, history: array of struct, ordered by its first field, the position."""
    in_order = ibis.window(group_by="user_id", order_by=["timestamp", "interaction_id"])
    placed = interactions.mutate(
        position=ibis.row_number().over(in_order),
        micros=microseconds(interactions.timestamp),
        value=ibis.coalesce(interactions.value, float("nan")).cast("float32"),
    )
    placed = placed.mutate(
        block=placed.position // max_history,
        entry=ibis.struct({name: placed[name] for name in ("position", *LISTS.values())}),
    )
    return placed.group_by("user_id", "block").agg(history=placed.entry.collect().sort())


def _ends(interactions: ir.Table, moments: ir.Table) -> ir.Table:
    """moments with `end`: how many of the user's interactions are strictly before the cutoff."""
    # At the same time a moment (0) stands before an interaction (1), so that it isn't counted.
    events = interactions.select(
        "user_id", cutoff=interactions.timestamp.cast(TIMESTAMP), counted=ibis.literal(1, "int64")
    )
    marks = moments.select("user_id", cutoff=moments.cutoff.cast(TIMESTAMP), counted=ibis.literal(0, "int64"))
    both = ibis.union(events, marks)
    so_far = ibis.window(group_by="user_id", order_by=["cutoff", "counted"], preceding=None, following=0)
    both = both.mutate(end=both.counted.sum().over(so_far))
    return both.filter(both.counted == 0).drop("counted")


def _field(name: str) -> Callable[[ir.StructValue], ir.Value]:
    return lambda entry: entry[name]
