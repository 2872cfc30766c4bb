"""Computes the items that a user chose before the history begins: the recommender filters them too."""

import ibis
import ibis.expr.types as ir

from feature_repo.contract import MAX_HISTORY, MAX_SEEN_BEFORE


def build_seen_before(
    interactions: ir.Table, max_history: int = MAX_HISTORY, max_items: int = MAX_SEEN_BEFORE
) -> ir.Table:
    """Return user_id and seen_before, the items whose last interaction is older than the history.

    `seen_before` has the newest `max_items` of them, sorted by id. A user without such items has no row.
    """
    newest_first = [ibis.desc(interactions.timestamp), ibis.desc(interactions.interaction_id)]
    aged = interactions.mutate(age=ibis.row_number().over(group_by="user_id", order_by=newest_first))
    last = aged.group_by("user_id", "item_id").agg(age=aged.age.min())
    older = last.filter(last.age >= max_history)
    ranked = older.mutate(position=ibis.row_number().over(group_by="user_id", order_by="age"))
    newest = ranked.filter(ranked.position < max_items)
    return newest.group_by("user_id").agg(seen_before=newest.item_id.collect().sort())
