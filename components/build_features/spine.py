"""Computes the spine (Feast: entity dataframe): the (user, cutoff) rows to train on and to evaluate on."""

from collections.abc import Callable

import ibis
import ibis.expr.types as ir

from components.build_features.time_conversion import TIMESTAMP, microseconds, timestamp, to_datetime
from components.errors import StepError
from components.progress import report
from feature_repo.contract import MAX_HISTORY

# Under leave-one-out: two interactions are held out, and one must be left to train on.
MIN_INTERACTIONS = 3
# Under "time": limits per user, so that very active users do not dominate, and of the number of users.
QUERIES_PER_USER = 10
MAX_QUERY_USERS = 20_000


def build_spine(
    interactions: ir.Table, as_of: int, protocol: str, max_history: int = MAX_HISTORY
) -> ir.Table:
    """Return the rows of a protocol: user_id, cutoff, split, target_item_id (null except for queries).

    Args:
        interactions: a table with the contract's columns, all before `as_of` (µs). The timestamps of a user
            must differ: of two equal ones at the edge of a window, the older would be in no window.

    Raises:
        StepError: an unknown protocol, or no interactions to split by time.
    """
    if protocol not in PROTOCOLS:
        raise StepError(f"protocol={protocol!r}: expected one of {', '.join(sorted(PROTOCOLS))}")
    train, queries = PROTOCOLS[protocol](interactions, as_of)
    everything = interactions.mutate(until=timestamp(as_of))
    return ibis.union(windows(train, "train", max_history), windows(everything, "all", max_history), *queries)


def windows(interactions: ir.Table, split: str, max_history: int) -> ir.Table:
    """Return the rows of a split: cutoffs that divide each user's interactions into windows of `max_history`.

    Only interactions before the column `until` count.

    The cutoff of a window is the first timestamp of the next newer one, so the histories before the cutoffs
    contain each interaction once.
    """
    before = interactions.filter(interactions.timestamp < interactions.until)
    ranked = before.mutate(age=_age(before), size=before.count().over(group_by="user_id"))
    newest, edge = ranked.age == 0, ranked.age % max_history == max_history - 1
    ends = ranked.filter(newest | (edge & (ranked.age + 1 < ranked.size)))
    return ends.select(
        "user_id",
        cutoff=(ends.age == 0).ifelse(ends.until, ends.timestamp).cast(TIMESTAMP),
        split=ibis.literal(split),
        target_item_id=ibis.literal(None, type="string"),
    )


def _leave_one_out(interactions: ir.Table, as_of: int) -> tuple[ir.Table, list[ir.Table]]:
    """Hold out the last interaction of each user for the test, and the one before it for the validation."""
    ranked = interactions.mutate(age=_age(interactions), size=interactions.count().over(group_by="user_id"))
    held_out = ranked.filter(ranked.size >= MIN_INTERACTIONS)
    until = ranked.timestamp.max(where=(ranked.age == 1) & (ranked.size >= MIN_INTERACTIONS))
    train = ranked.mutate(until=ibis.coalesce(until.over(group_by="user_id"), timestamp(as_of)))
    return train, [
        _queries(held_out.filter(held_out.age == 1), "validation"),
        _queries(held_out.filter(held_out.age == 0), "test"),
    ]


def _time(interactions: ir.Table, as_of: int) -> tuple[ir.Table, list[ir.Table]]:
    """Split all interactions by time: 80 % to train, the next 10 % to validate, the rest to test."""
    micros = microseconds(interactions.timestamp)
    bounds = (
        interactions.agg(first=micros.quantile(0.8), second=micros.quantile(0.9)).to_pyarrow().to_pylist()
    )
    if None in bounds[0].values():
        raise StepError(
            f"no interactions before {to_datetime(as_of)} except impressions: ingest clicks or purchases too"
        )
    first, second = (int(bound) for bound in bounds[0].values())
    report(
        f"train before {to_datetime(first):%Y-%m-%d %H:%M}, "
        f"validation before {to_datetime(second):%Y-%m-%d %H:%M}"
    )
    later = interactions.filter(interactions.timestamp >= timestamp(first))
    later = later.semi_join(_sample(later), "user_id")
    later = later.mutate(
        split=(later.timestamp < timestamp(second)).ifelse("validation", "test"),
    )
    order = ibis.window(group_by=["user_id", "split"], order_by=["timestamp", "interaction_id"])
    ranked = later.mutate(rank=ibis.row_number().over(order))
    queried = ranked.filter(ranked["rank"] < QUERIES_PER_USER)
    return interactions.mutate(until=timestamp(first)), [_queries(queried, queried.split)]


def _sample(interactions: ir.Table) -> ir.Table:
    """Return at most MAX_QUERY_USERS user ids, chosen by a hash of the id, so that every run has the same."""
    users = interactions.select("user_id").distinct()
    return users.order_by(users.user_id.hexdigest("md5")).limit(MAX_QUERY_USERS)


def _queries(targets: ir.Table, split: str | ir.StringColumn) -> ir.Table:
    return targets.select(
        "user_id",
        cutoff=targets.timestamp.cast(TIMESTAMP),
        split=split if isinstance(split, ir.Expr) else ibis.literal(split),
        target_item_id=targets.item_id,
    )


def _age(interactions: ir.Table) -> ir.IntegerColumn:
    """Return the number of the user's interactions that are newer than each."""
    newest_first = [ibis.desc(interactions.timestamp), ibis.desc(interactions.interaction_id)]
    return ibis.row_number().over(group_by="user_id", order_by=newest_first)


PROTOCOLS: dict[str, Callable[[ir.Table, int], tuple[ir.Table, list[ir.Table]]]] = {
    "leave-one-out": _leave_one_out,
    "time": _time,
}
