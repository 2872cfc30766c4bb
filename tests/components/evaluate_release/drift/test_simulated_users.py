"""Simulated users: items of one group only, then of another group only."""

import numpy as np
import pytest

from components.evaluate_release.drift.interest_shifts import LENGTH, MIN_HISTORY
from components.evaluate_release.drift.item_groups import ItemGroups, find_item_groups
from components.evaluate_release.drift.simulated_users import MICROSECONDS_A_MINUTE, shifts_of_simulated_users
from tests.components.evaluate_release.item_groups_world import GROUPS, build


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    ranking, _, held_out = build(tmp_path_factory.mktemp("groups"))
    return held_out, ranking, find_item_groups(ranking.catalog, ranking.filters, 0)


def test_items_are_of_the_old_group_then_of_the_new_group_only(world) -> None:
    held_out, ranking, groups = world
    shifts = shifts_of_simulated_users(held_out, ranking.filters.popularity, groups, 30, seed=3)
    assert len(shifts) == 30
    for shift in shifts:
        assert shift.old != shift.new
        assert {int(item[1:]) % GROUPS for item in shift.history.item_ids} == {shift.old}
        assert {item % GROUPS for item in shift.items.tolist()} == {shift.new}
        assert len(set(shift.items.tolist())) == LENGTH
        assert sorted(shift.seen.tolist()) == sorted(int(item[1:]) for item in shift.history.item_ids)
    assert len({(shift.old, shift.new) for shift in shifts}) > 10


def test_choices_are_a_minute_apart_and_the_shift_is_at_the_newest_cutoff(world) -> None:
    held_out, ranking, groups = world
    shift = shifts_of_simulated_users(held_out, ranking.filters.popularity, groups, 1, seed=3)[0]
    times = [*shift.history.timestamps, *(chosen.timestamp for chosen in shift.chosen)]
    assert set(np.diff(times)) == {MICROSECONDS_A_MINUTE}
    assert times[MIN_HISTORY] == held_out.test.cutoffs.max()
    assert shift.chosen[0].event_type == "view"
    assert np.isnan(shift.chosen[0].value)


def test_popular_items_are_drawn_more_often(world) -> None:
    held_out, ranking, groups = world
    popularity = np.where(np.arange(len(ranking.catalog)) < 100, 20, 1).astype(np.float32)
    shifts = shifts_of_simulated_users(held_out, popularity, groups, 50, seed=3)
    first = [shift.items[0] < 100 for shift in shifts]
    assert np.mean(first) > 0.8


def test_there_are_no_shifts_without_two_groups_of_enough_items(world) -> None:
    held_out, ranking, groups = world
    identical = ItemGroups("categories", ["a", "b"], groups.members[[0, 0]], groups.base_rates[[0, 0]])
    assert shifts_of_simulated_users(held_out, ranking.filters.popularity, identical, 10, seed=3) == []
