"""Computes the users' last searches by words, as feature_repo.searches.Searches does online."""

import ibis
import ibis.expr.types as ir

from components.build_features.time_conversion import microseconds
from feature_repo.contract import MAX_SEARCHES


def build_searches(searches: ir.Table, max_searches: int = MAX_SEARCHES) -> ir.Table:
    """Return user_id, searches and search_times (µs): the newest `max_searches`, oldest first.

    Equal times are ordered by text; the same text at one time is one search. A user without any has no row.

    Args:
        searches: interactions with a `query` and without an item.
    """
    micros = microseconds(searches.timestamp)
    distinct = searches.select("user_id", "query", micros=micros).distinct()
    newest_first = [ibis.desc(distinct.micros), ibis.desc(distinct["query"])]
    ranked = distinct.mutate(age=ibis.row_number().over(group_by="user_id", order_by=newest_first))
    newest = ranked.filter(ranked.age < max_searches)
    newest = newest.mutate(entry=ibis.struct({"micros": newest.micros, "text": newest["query"]}))
    lists = newest.group_by("user_id").agg(entries=newest.entry.collect().sort())
    return lists.select(
        "user_id",
        searches=lists.entries.map(lambda entry: entry["text"]),
        search_times=lists.entries.map(lambda entry: entry["micros"]),
    )
