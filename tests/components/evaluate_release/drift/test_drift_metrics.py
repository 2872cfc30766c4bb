"""How fast lists follow, counted by hand."""

import numpy as np
import pytest

from components.evaluate_release.data.ranked_queries import RankedQueries
from components.evaluate_release.drift import drift_metrics
from components.evaluate_release.drift.interest_shifts import STEPS, InterestShift
from components.evaluate_release.drift.item_groups import ItemGroups
from components.evaluate_release.metrics.accuracy import MISS
from feature_repo.histories import History

NO_ITEMS = np.empty(0, np.int32)


def at(*shares):
    """[STEPS, users] from one row of shares a user."""
    return np.array(shares, np.float64).T


def test_the_first_step_with_half_of_the_list_counts():
    # STEPS are 0, 1, 2, 3, 5, 8, 13, 20
    shares = at(
        [0, 0.5, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9],  # at once
        [0, 0.4, 0.4, 0.6, 0.2, 0.2, 0.2, 0.2],  # at 3, though it turns back
        [0, 0, 0, 0, 0, 0, 0, 0.5],  # at the last
        [0.4] * 8,  # never
    )
    assert drift_metrics.interactions_to_follow(shares).tolist() == [1, 3, 20, np.inf]


def test_the_median_is_after_how_many_half_of_the_users_were_followed():
    shares = at([0, 1, 1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1, 1, 1], [0] * 8, [0] * 8)
    found = drift_metrics.following(shares, np.zeros_like(shares))
    assert (found.interactions_to_follow, found.followed) == (2, 0.5)
    assert found.share[:3] == [0, 0.25, 0.5]
    never = drift_metrics.following(shares[:, 1:], np.zeros_like(shares[:, 1:]))
    assert never.interactions_to_follow is None
    assert never.followed == pytest.approx(1 / 3)


def test_shares_count_the_first_ten_and_no_missing_item():
    members = np.zeros((2, 30), bool)
    members[0, :10] = members[1, 10:20] = True
    lists = np.full((len(STEPS), 2, 20), 25)
    lists[:, 0, 10:] = 3  # beyond the ten
    lists[1, 0, :4] = 3
    lists[2, 1, :6] = [10, 11, 12, -1, -1, -1]
    shares = drift_metrics.shares_of(lists.reshape(-1, 20), members)
    assert shares[:3].tolist() == [[0, 0], [0.4, 0], [0, 0.3]]


def switches(count):
    tastes = ItemGroups(
        "categories", ["old", "new"], np.eye(2, dtype=bool).repeat(20, axis=1), np.array([0.5, 0.2])
    )
    one = InterestShift("u", 0, 1, History(), NO_ITEMS, [], NO_ITEMS)
    return [one] * count, tastes


def ranked(users, following_from):
    """Lists of the old taste, of the new one from a step on; a hit wherever it is of the new one."""
    new = np.repeat(np.arange(len(STEPS)) >= following_from, users)
    items = np.where(new[:, None], np.arange(20, 40), np.arange(20))
    return RankedQueries(np.where(new, 1, MISS), items)


def test_a_model_that_follows_is_set_beside_one_that_never_does():
    users, tastes = switches(12)
    found = drift_metrics.measure(
        users, tastes, {"quick": ranked(12, 1), "slow": ranked(12, 4), "never": ranked(12, 99)}
    )
    needed = {name: model.interactions_to_follow for name, model in found.models.items()}
    assert needed == {"quick": 1, "slow": 5, "never": None}
    assert found.models["slow"].hit_rate == [0, 0, 0, 0, 1, 1, 1, 1]
    assert (found.users, found.left_out, found.base_rate) == (12, 0, pytest.approx(0.2))
    assert found.pairs == {"old → new": 12}


def test_users_whose_ten_were_of_the_new_taste_before_are_left_out_for_every_model():
    users, tastes = switches(15)
    ahead = ranked(15, 1)
    ahead.items[:3] = np.arange(20, 40)  # of the first three users, before the switch
    found = drift_metrics.measure(users, tastes, {"ahead": ahead, "never": ranked(15, 99)})
    assert (found.users, found.left_out) == (12, 3)
    users, tastes = switches(12)
    ahead = ranked(12, 1)
    ahead.items[:3] = np.arange(20, 40)
    assert drift_metrics.measure(users, tastes, {"ahead": ahead}) is None  # nine say too little
