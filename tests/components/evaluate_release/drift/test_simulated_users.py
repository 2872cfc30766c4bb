"""Simulated users: all of one taste, then all of another, known items at known moments."""

import numpy as np
import pytest

from components.evaluate_release.drift.interest_shifts import LENGTH, MIN_HISTORY
from components.evaluate_release.drift.item_groups import ItemGroups, find_item_groups
from components.evaluate_release.drift.simulated_users import MINUTE, of_simulated_users
from tests.components.evaluate_release.item_groups_world import TASTES, build


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    ranking, _, held = build(tmp_path_factory.mktemp("tastes"))
    return held, ranking, find_item_groups(ranking.catalog, ranking.filters, 0)


def test_each_has_items_of_the_old_taste_then_of_the_new_alone(world):
    held, ranking, tastes = world
    found = of_simulated_users(held, ranking.filters.popularity, tastes, 30, seed=3)
    assert len(found) == 30
    for switch in found:
        assert switch.old != switch.new
        assert {int(item[1:]) % TASTES for item in switch.history.item_ids} == {switch.old}
        assert {item % TASTES for item in switch.items.tolist()} == {switch.new}
        assert len(set(switch.items.tolist())) == LENGTH
        assert sorted(switch.seen.tolist()) == sorted(int(item[1:]) for item in switch.history.item_ids)
    assert len({(switch.old, switch.new) for switch in found}) > 10


def test_a_minute_lies_between_and_the_switch_is_at_the_newest_held_out_moment(world):
    held, ranking, tastes = world
    switch = of_simulated_users(held, ranking.filters.popularity, tastes, 1, seed=3)[0]
    times = [*switch.history.timestamps, *(chosen.timestamp for chosen in switch.chosen)]
    assert set(np.diff(times)) == {MINUTE}
    assert times[MIN_HISTORY] == held.test.cutoffs.max()
    assert switch.chosen[0].event_type == "view"
    assert np.isnan(switch.chosen[0].value)


def test_popular_items_are_drawn_more_often(world):
    held, ranking, tastes = world
    popularity = np.where(np.arange(len(ranking.catalog)) < 100, 20, 1).astype(np.float32)
    found = of_simulated_users(held, popularity, tastes, 50, seed=3)
    first = [switch.items[0] < 100 for switch in found]
    assert np.mean(first) > 0.8


def test_nobody_where_no_pair_of_tastes_has_items_enough(world):
    held, ranking, tastes = world
    alike = ItemGroups("categories", ["a", "b"], tastes.members[[0, 0]], tastes.base[[0, 0]])
    assert of_simulated_users(held, ranking.filters.popularity, alike, 10, seed=3) == []
