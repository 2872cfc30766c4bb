"""Switches: who turns, to what, in whose order, and what is asked after each step."""

import numpy as np
import pyarrow as pa
import pytest

from components.evaluate_release.data.queries import read_queries, read_windows
from components.evaluate_release.drift.interest_shifts import (
    LENGTH,
    MIN_HISTORY,
    STEPS,
    as_queries,
    of_real_users,
)
from components.evaluate_release.drift.item_groups import ItemGroups
from feature_repo.contract import TRAINING_SET
from tests.components.evaluate_release.ring_world import row

ITEMS = 100
INDEX = pa.array([f"i{item}" for item in range(ITEMS)])
# Items 0 to 39 are old, 40 to 99 new; 40 to 44 are both.
MEMBERS = np.stack([np.arange(ITEMS) < 45, np.arange(ITEMS) >= 40])
TASTES = ItemGroups("categories", ["old", "new"], MEMBERS, np.array([0.8, 0.2]))
# Chosen downwards, two old items between; both-tastes items and one that the user has had are not followed.
DONOR = [42, *range(99, 85, -1), 3, 4, *range(85, 60, -1)]
USER = [*range(MIN_HISTORY), 90]


def switch(user_items=USER, donor_items=DONOR, **at_most):
    donor_times = [100 + 10 * step for step in range(len(donor_items))]
    rows = pa.Table.from_pylist(
        [
            row(1, user_items, list(range(len(user_items))), 5_000, "all"),
            row(1, user_items, list(range(len(user_items))), 5_000, "test", 30),
            row(2, donor_items, donor_times, 9_000, "all"),
        ],
        TRAINING_SET,
    )
    queries = read_queries(rows, "test", INDEX, seed=0)
    return of_real_users(queries, read_windows(rows, INDEX, seed=0), TASTES, at_most.get("count", 5), seed=0)


@pytest.fixture
def one():
    (found,) = switch()
    return found


def test_what_follows_is_of_the_new_taste_alone_in_the_donors_order_and_unseen(one):
    expected = [item for item in DONOR if item >= 45 and item != 90][:LENGTH]
    assert one.items.tolist() == expected
    assert [chosen.item_id for chosen in one.chosen] == [f"i{item}" for item in expected]
    assert (one.old, one.new, one.user_id) == (0, 1, "u001")


def test_it_begins_at_the_held_out_moment_and_keeps_the_donors_pace(one):
    times = [chosen.timestamp for chosen in one.chosen]
    assert times[0] == 5_000
    # 90 is skipped after nine items of the donor
    assert np.diff(times)[:9].tolist() == [10] * 8 + [20]


@pytest.mark.parametrize(
    ("user", "donor"),
    [
        (USER[:-2], DONOR),  # a history too short
        ([*range(10), *range(50, 60), 61], DONOR),  # the new taste isn't new
        (USER, DONOR[:20]),  # nobody to follow
        ([*range(60, 72), *range(12)], DONOR),  # of no one taste the other could be new to
    ],
)
def test_others_do_not_switch(user, donor):
    assert switch(user, donor) == []


def test_each_step_knows_what_came_before_and_asks_for_what_comes_next(one):
    queries = as_queries([one, one], INDEX, keep_seen=False)
    assert len(queries) == 2 * len(STEPS)
    for number, step in enumerate(STEPS):
        for position in (2 * number, 2 * number + 1):
            assert queries.items[position].tolist() == [*USER, *one.items[:step]]
            assert queries.targets[position] == one.items[step]
            assert queries.cutoffs[position] == one.chosen[step].timestamp
            assert queries.timestamps[position].max() < queries.cutoffs[position]
            assert set(queries.seen[position]) == {*USER, *one.items[:step].tolist()}
            assert len(queries.histories[position]) == len(USER) + step
    assert queries.users.tolist() == [0, 1] * len(STEPS)
    assert queries.attributes == [one.attributes] * len(queries)


def test_where_items_are_had_again_nothing_is_left_out(one):
    assert not any(map(len, as_queries([one], INDEX, keep_seen=True).seen))
