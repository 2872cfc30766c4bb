"""What a user has seen beyond the history: nothing seen is to be answered as if it were new."""

import ibis
import ibis.expr.types as ir

from feature_repo.contract import MAX_HISTORY, MAX_SEEN_BEFORE


def build_seen_before(
    interactions: ir.Table, max_history: int = MAX_HISTORY, max_items: int = MAX_SEEN_BEFORE
) -> ir.Table:
    """user_id, seen_before: the items that a user last chose before the last `max_history` interactions.

    The `max_items` that were chosen last, by id; a user who has no more than a history has no row.
    """
    newest_first = [ibis.desc(interactions.timestamp), ibis.desc(interactions.interaction_id)]
    aged = interactions.mutate(age=ibis.row_number().over(group_by="user_id", order_by=newest_first))
    last = aged.group_by("user_id", "item_id").agg(age=aged.age.min())
    older = last.filter(last.age >= max_history)
    ranked = older.mutate(place=ibis.row_number().over(group_by="user_id", order_by="age"))
    kept = ranked.filter(ranked.place < max_items)
    return kept.group_by("user_id").agg(seen_before=kept.item_id.collect().sort())
