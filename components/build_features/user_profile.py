"""Computes user profiles: imported attributes, activity, what was seen and disliked before, and searches."""

import ibis
import ibis.expr.types as ir

from components.build_features.searches import build_searches
from components.build_features.seen_before import build_seen_before
from components.build_features.time_conversion import microseconds
from components.errors import StepError
from feature_repo.attributes import ACTIVITY

RESERVED = (*ACTIVITY, "as_of", "event_timestamp", "created")


def build_user_profile(
    interactions: ir.Table, searches: ir.Table, users: ir.Table, disliked_before: ir.Table
) -> ir.Table:
    """Return one row for each user: attributes (text or float64) and the columns of attributes.ACTIVITY.

    Args:
        interactions: with items.
        searches: interactions without items.
        users: user_id and attributes.
        disliked_before: as disliked_before.find_disliked_before returns it.

    Raises:
        StepError: an attribute has a reserved name, or is neither text nor a number.
    """
    activity = interactions.group_by("user_id").agg(
        interactions=interactions.count(),
        items=interactions.item_id.nunique(),
        # Sorted, because an engine adds in an order that changes, and the last digit of the mean with it.
        mean_value=interactions.value.cast("float64").collect().sort().means(),
        first_seen=microseconds(interactions.timestamp).min(),
        last_seen=microseconds(interactions.timestamp).max(),
    )
    attributes = users.select(
        "user_id", **{name: _attribute(users, name) for name in users.columns if name != "user_id"}
    )
    everybody = all_users(interactions, searches, users)
    joined = everybody.left_join(attributes, "user_id").select(everybody, *attributes.columns[1:])
    joined = joined.left_join(activity, "user_id").select(joined, *activity.columns[1:])
    for lists in (build_seen_before(interactions), disliked_before, build_searches(searches)):
        joined = joined.left_join(lists, "user_id").select(joined, *lists.columns[1:])
    return joined.mutate(
        interactions=ibis.coalesce(joined.interactions, 0), items=ibis.coalesce(joined["items"], 0)
    )


def all_users(*tables: ir.Table) -> ir.Table:
    """Return the distinct values of user_id in all tables."""
    return ibis.union(*(table.select("user_id") for table in tables), distinct=True)


def _attribute(users: ir.Table, name: str) -> ir.Value:
    column = users[name]
    # Feast's DuckDB store drops columns with the suffix _y from its joins.
    if name in RESERVED or name.endswith("_y"):
        raise StepError(
            f"users: the attribute {name!r} has a reserved name ({', '.join(RESERVED)}, …_y): rename it"
        )
    if column.type().is_numeric():
        return column.cast("float64")
    if column.type().is_nested() or column.type().is_binary():
        raise StepError(
            f"users: the attribute {name!r} is {column.type()}; expected text or a number: "
            "leave the column out, or use one column for each entry"
        )
    return column.cast("string")
