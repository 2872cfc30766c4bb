"""Interest shifts of real users: which users shift, to which items, and the queries at each step."""

import numpy as np
import pyarrow as pa
import pytest

from components.evaluate_release.data.queries import read_queries, read_windows
from components.evaluate_release.drift.interest_shifts import (
    LENGTH,
    MIN_HISTORY,
    STEPS,
    as_queries,
    shifts_of_real_users,
)
from components.evaluate_release.drift.item_groups import ItemGroups
from feature_repo.feedback import FeedbackPolicy
from feature_repo.table_schemas import TRAINING_SET
from tests.components.evaluate_release.ring_world import row

ITEMS = 100
INDEX = pa.array([f"i{item}" for item in range(ITEMS)])
# Items 0 to 39 are old, 40 to 99 new; 40 to 44 are both.
MEMBERS = np.stack([np.arange(ITEMS) < 45, np.arange(ITEMS) >= 40])
GROUPS = ItemGroups("categories", ["old", "new"], MEMBERS, np.array([0.8, 0.2]))
# Two old items in between; items of both groups and the user's item 90 are not used.
DONOR = [42, *range(99, 85, -1), 3, 4, *range(85, 60, -1)]
USER = [*range(MIN_HISTORY), 90]

POLICY = FeedbackPolicy()


def find_shifts(user_items=USER, donor_items=DONOR, **at_most):
    donor_times = [100 + 10 * step for step in range(len(donor_items))]
    rows = pa.Table.from_pylist(
        [
            row(1, user_items, list(range(len(user_items))), 5_000, "all"),
            row(1, user_items, list(range(len(user_items))), 5_000, "test", 30),
            row(2, donor_items, donor_times, 9_000, "all"),
        ],
        TRAINING_SET,
    )
    queries = read_queries(rows, "test", INDEX, 0, POLICY)
    return shifts_of_real_users(
        queries, read_windows(rows, INDEX, 0, POLICY), GROUPS, at_most.get("count", 5), seed=0
    )


@pytest.fixture
def shift():
    (only,) = find_shifts()
    return only


def test_choices_are_the_donors_unseen_items_of_the_new_group_only_in_order(shift) -> None:
    expected = [item for item in DONOR if item >= 45 and item != 90][:LENGTH]
    assert shift.items.tolist() == expected
    assert [chosen.item_id for chosen in shift.chosen] == [f"i{item}" for item in expected]
    assert (shift.old, shift.new, shift.user_id) == (0, 1, "u001")


def test_the_shift_starts_at_the_cutoff_and_keeps_the_donors_time_gaps(shift) -> None:
    times = [chosen.timestamp for chosen in shift.chosen]
    assert times[0] == 5_000
    # item 90 is skipped after nine of the donor's items
    assert np.diff(times)[:9].tolist() == [10] * 8 + [20]


@pytest.mark.parametrize(
    ("user", "donor"),
    [
        (USER[:-2], DONOR),  # the history is too short
        ([*range(10), *range(50, 60), 61], DONOR),  # the group is not new to the user
        (USER, DONOR[:20]),  # the donor has too few items
        ([*range(60, 72), *range(12)], DONOR),  # no group is new to the user
    ],
)
def test_there_is_no_shift_when(user, donor) -> None:
    assert find_shifts(user, donor) == []


def test_queries_contain_the_choices_before_a_step_and_target_the_next(shift) -> None:
    queries = as_queries([shift, shift], INDEX, keep_seen=False, feedback=POLICY)
    assert len(queries) == 2 * len(STEPS)
    for number, step in enumerate(STEPS):
        for position in (2 * number, 2 * number + 1):
            assert queries.items[position].tolist() == [*USER, *shift.items[:step]]
            assert queries.targets[position] == shift.items[step]
            assert queries.cutoffs[position] == shift.chosen[step].timestamp
            assert queries.timestamps[position].max() < queries.cutoffs[position]
            assert set(queries.seen[position]) == {*USER, *shift.items[:step].tolist()}
            assert len(queries.histories[position]) == len(USER) + step
    assert queries.users.tolist() == [0, 1] * len(STEPS)
    assert queries.attributes == [shift.attributes] * len(queries)


def test_queries_exclude_no_item_when_seen_items_are_kept(shift) -> None:
    seen = as_queries([shift], INDEX, keep_seen=True, feedback=POLICY).seen
    assert len(seen) == len(STEPS)
    assert not any(map(len, seen))
