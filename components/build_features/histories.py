"""Computes users' histories as of many cutoffs, at a cost that grows linearly with the rows."""

from collections.abc import Callable, Iterator

import ibis
import ibis.expr.types as ir

from components.build_features.time_conversion import TIMESTAMP, microseconds
from components.build_features.user_ranges import in_range, user_ranges
from feature_repo.contract import MAX_HISTORY

# Column of a history -> column of the interactions.
LISTS = {
    "interaction_ids": "interaction_id",
    "item_ids": "item_id",
    "event_types": "event_type",
    "values": "value",
    "timestamps": "micros",
}

# Histories computed at once, to limit memory: each has up to 200 interactions.
CUTOFFS_PER_PART = 25_000


def build_histories(interactions: ir.Table, cutoffs: ir.Table, max_history: int = MAX_HISTORY) -> ir.Table:
    """Compute the last `max_history` interactions strictly before each cutoff, oldest first.

    Args:
        interactions: a table with the contract's columns.
        cutoffs: a table with distinct rows of user_id and cutoff.

    Returns:
        user_id, cutoff and the five lists of a History, empty when there are no interactions; a missing
        value is NaN.

    Each user's ordered interactions are divided into blocks of `max_history`. A history ends in one block and
    begins in the same or the one before, so two joins on equality find it. A join of cutoffs and interactions
    on time would have one row for each pair.
    """
    blocks = _blocks(interactions, max_history)
    ends = _ends(interactions, cutoffs)
    ends = ends.mutate(block=(ends.end - 1) // max_history)
    newer = blocks.rename(newer="history")
    older = blocks.select("user_id", block=blocks.block + 1, older=blocks.history)
    joined = ends.left_join(newer, ["user_id", "block"]).select(ends, "newer")
    joined = joined.left_join(older, ["user_id", "block"]).select(joined, "older")
    empty = ibis.literal([], type=blocks.history.type())
    span = ibis.coalesce(joined.older, empty).concat(ibis.coalesce(joined.newer, empty))
    # Positions count from the first block; the span starts at the block `older`.
    stop = joined.end - ibis.greatest(joined.block - 1, 0) * max_history
    cut = joined.mutate(history=span[ibis.greatest(stop - max_history, 0) : stop])
    lists = {name: cut.history.map(_field(column)) for name, column in LISTS.items()}
    return cut.select("user_id", "cutoff", **lists)


def split_by_user(
    interactions: ir.Table, cutoffs: ir.Table, size: int = CUTOFFS_PER_PART
) -> Iterator[tuple[ir.Table, ir.Table]]:
    """Yield interactions and cutoffs of consecutive ranges of user ids, with about `size` cutoffs each."""
    for users in user_ranges(cutoffs, size):
        yield in_range(interactions, users), in_range(cutoffs, users)


def _blocks(interactions: ir.Table, max_history: int) -> ir.Table:
    """Return user_id, block and history, an array of structs ordered by their first field, the position."""
    in_order = ibis.window(group_by="user_id", order_by=["timestamp", "interaction_id"])
    rows = interactions.mutate(
        position=ibis.row_number().over(in_order),
        micros=microseconds(interactions.timestamp),
        value=ibis.coalesce(interactions.value, float("nan")).cast("float32"),
    )
    rows = rows.mutate(
        block=rows.position // max_history,
        entry=ibis.struct({name: rows[name] for name in ("position", *LISTS.values())}),
    )
    return rows.group_by("user_id", "block").agg(history=rows.entry.collect().sort())


def _ends(interactions: ir.Table, cutoffs: ir.Table) -> ir.Table:
    """Add `end` to `cutoffs`: the number of the user's interactions strictly before the cutoff."""
    # At equal times a cutoff (0) sorts before an interaction (1), which is therefore not counted.
    events = interactions.select(
        "user_id", cutoff=interactions.timestamp.cast(TIMESTAMP), counted=ibis.literal(1, "int64")
    )
    marks = cutoffs.select("user_id", cutoff=cutoffs.cutoff.cast(TIMESTAMP), counted=ibis.literal(0, "int64"))
    both = ibis.union(events, marks)
    so_far = ibis.window(group_by="user_id", order_by=["cutoff", "counted"], preceding=None, following=0)
    both = both.mutate(end=both.counted.sum().over(so_far))
    return both.filter(both.counted == 0).drop("counted")


def _field(name: str) -> Callable[[ir.StructValue], ir.Value]:
    return lambda entry: entry[name]
