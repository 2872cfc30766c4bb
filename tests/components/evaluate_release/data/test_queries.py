"""Queries from the training set: order, indexes, seen items, sampling, invalid input."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from components.errors import StepError
from components.evaluate_release.data.held_out_targets import check_targets
from components.evaluate_release.data.queries import read_queries, read_windows
from feature_repo.contract import MAX_HISTORY
from feature_repo.feedback import FeedbackPolicy
from feature_repo.table_schemas import TRAINING_SET
from tests.components.evaluate_release.ring_world import row

INDEX = pa.array([f"i{item}" for item in range(6)])

POLICY = FeedbackPolicy()


def table(*rows) -> pa.Table:
    return pa.Table.from_pylist(list(rows), TRAINING_SET).sort_by(
        [("user_id", "ascending"), ("cutoff", "ascending")]
    )


def test_items_are_catalog_indexes_without_unknown_items() -> None:
    rows = table(row(1, [2, 9, 4], [10, 20, 30], 40, "test", 5))
    queries = read_queries(rows, "test", INDEX, 0, POLICY)
    assert queries.items[0].tolist() == [2, 4]
    assert queries.timestamps[0].tolist() == [10, 30]
    assert queries.histories[0].item_ids == ["i2", "i9", "i4"]
    assert queries.targets.tolist() == [5]
    assert queries.cutoffs.tolist() == [40]


def test_a_target_that_is_not_in_the_catalog_is_minus_one() -> None:
    queries = read_queries(table(row(1, [], [], 40, "test", 77)), "test", INDEX, 0, POLICY)
    assert queries.targets.tolist() == [-1]


def test_seen_has_all_items_before_the_cutoff_and_none_after() -> None:
    rows = table(
        row(1, [0, 1], [10, 20], 30, "all"),  # an older window of the user
        row(1, [2, 3, 4], [30, 40, 50], 60, "all"),  # the newest window, with the target and later items
        row(1, [2], [30], 40, "test", 3),
        row(2, [5], [15], 60, "all"),
    )
    queries = read_queries(rows, "test", INDEX, 0, POLICY)
    assert queries.seen[0].tolist() == [0, 1, 2]
    assert not queries.repeated()[0]


def test_repeated_marks_a_seen_target() -> None:
    rows = table(row(1, [3, 2, 3], [10, 20, 30], 40, "all"), row(1, [3, 2], [10, 20], 30, "test", 3))
    assert read_queries(rows, "test", INDEX, 0, POLICY).repeated().tolist() == [True]


def test_seen_is_empty_when_seen_items_are_kept() -> None:
    rows = table(row(1, [3, 2, 3], [10, 20, 30], 40, "all"), row(1, [3, 2], [10, 20], 30, "test", 3))
    assert len(read_queries(rows, "test", INDEX, 0, POLICY, keep_seen=True).seen[0]) == 0


def test_a_user_without_history_has_a_query() -> None:
    rows = table(row(1, [3], [10], 20, "all"), row(1, [], [], 10, "test", 3))
    queries = read_queries(rows, "test", INDEX, 0, POLICY)
    assert len(queries.histories[0]) == len(queries.items[0]) == len(queries.seen[0]) == 0


def test_queries_of_one_user_share_a_number() -> None:
    rows = table(*(row(user, [1], [1], cutoff, "test", 2) for user in (7, 3) for cutoff in (10, 20)))
    assert read_queries(rows, "test", INDEX, 0, POLICY).users.tolist() == [0, 0, 1, 1]


def test_windows_are_each_users_newest_interactions() -> None:
    rows = table(
        row(1, [0, 1], [10, 20], 30, "all"), row(1, [2, 9], [30, 40], 60, "all"), row(2, [5], [15], 60, "all")
    )
    windows = read_windows(rows, INDEX, 0, POLICY)
    assert [items.tolist() for items in windows.items] == [[2, -1], [5]]
    assert windows.history(0).item_ids == ["i2", "i9"]
    assert windows.history(1).timestamps == [15]


def test_select_keeps_all_lists_parallel() -> None:
    rows = table(*(row(user, [user], [1], 10, "test", 5) for user in range(4)))
    kept = read_queries(rows, "test", INDEX, 0, POLICY).select(np.array([False, True, False, True]))
    assert kept.user_ids == ["u001", "u003"]
    assert kept.users.tolist() == [0, 1]
    assert [items.tolist() for items in kept.items] == [[1], [3]]
    assert len(kept) == 2


def test_a_sample_has_whole_users_and_is_reproducible() -> None:
    rows = table(*(row(user, [1], [1], cutoff, "test", 2) for user in range(50) for cutoff in (10, 20)))
    first, again, other = (read_queries(rows, "test", INDEX, seed, POLICY, limit=20) for seed in (1, 1, 2))
    assert len(first) == 20
    assert first.sampled_from == 100
    assert all(first.user_ids.count(user) == 2 for user in first.user_ids)
    assert first.user_ids == again.user_ids != other.user_ids


def test_an_empty_split_raises_with_the_requirements() -> None:
    with pytest.raises(StepError, match=r"no test queries.*at least 3 interactions"):
        read_queries(table(row(1, [1], [1], 10, "all")), "test", INDEX, 0, POLICY)


def with_events(line: dict[str, Any], *event_types: str) -> dict[str, Any]:
    return line | {"event_types": list(event_types)}


def test_liked_and_disliked_items_are_those_as_of_the_cutoff() -> None:
    history = row(1, [3, 2, 3, 1], [10, 20, 30, 40], 50, "test", 2)
    rows = table(with_events(history, "view", "view", "dislike", "view"))
    queries = read_queries(rows, "test", INDEX, 0, POLICY)
    assert queries.liked()[0].tolist() == [2, 1]
    assert queries.disliked()[0].tolist() == [3]
    assert queries.preferences[0].tolist() == [0, 1, -1, 1]
    assert queries.items[0].tolist() == [3, 2, 3, 1]


def held_out_rows(*event_types: str) -> pa.Table:
    everything = with_events(row(1, [3, 2, 1], [10, 20, 30], 40, "all"), *event_types)
    return table(everything, row(1, [3, 2], [10, 20], 30, "test", 1), row(1, [3], [10], 20, "validation", 2))


def test_positive_targets_are_accepted() -> None:
    check_targets(held_out_rows("dislike", "view", "purchase"), POLICY)


def test_a_target_that_its_window_left_out_is_accepted() -> None:
    """A day of more purchases than a window holds: the window has the last ones by id."""
    everything = row(1, [3, 2], [10, 20], 40, "all")
    check_targets(table(everything, row(1, [3], [10], 20, "test", 1)), POLICY)


@pytest.mark.parametrize("event_types", [("view", "view", "dislike"), ("view", "pause", "view")])
def test_a_target_that_is_not_positive_raises(event_types: tuple[str, ...]) -> None:
    item, user = ("i1" if event_types[2] == "dislike" else "i2"), "u001"
    with pytest.raises(StepError, match=rf"1 of 2 held-out .* such as item '{item}' of user '{user}'"):
        check_targets(held_out_rows(*event_types), POLICY)


def test_a_dislike_older_than_the_history_counts_until_a_later_like() -> None:
    """Items 1 and 2 are disliked, then 2 is liked; MAX_HISTORY views of item 0 follow, then item 3."""
    items, times = [1, 2, 2, *[0] * MAX_HISTORY, 3], list(range(MAX_HISTORY + 4))
    types = ["dislike", "dislike", "like", *["view"] * (MAX_HISTORY + 1)]
    everything = row(1, items, times, MAX_HISTORY + 4, "all") | {"event_types": types}
    recent = slice(3, MAX_HISTORY + 3)
    query = row(1, items[recent], times[recent], MAX_HISTORY + 3, "test", 3) | {"event_types": types[recent]}
    short = row(2, [1], [1], 2, "test", 3) | {"event_types": ["dislike"]}
    queries = read_queries(table(everything, query, short), "test", INDEX, 0, POLICY, keep_seen=True)
    assert [items.tolist() for items in queries.disliked_before] == [[1], []]
    assert [items.tolist() for items in queries.disliked()] == [[1], [1]]
