"""Drift metrics, computed by hand."""

import numpy as np
import pytest

from components.evaluate_release.drift import drift_metrics
from components.evaluate_release.drift.interest_shifts import STEPS, InterestShift
from components.evaluate_release.drift.item_groups import ItemGroups
from components.metrics.accuracy import MISS
from components.metrics.ranked_queries import RankedQueries
from feature_repo.histories import History

NO_ITEMS = np.empty(0, np.int32)


def steps_by_users(*shares):
    """Return [STEPS, users] from one list of shares per user."""
    return np.array(shares, np.float64).T


def test_interactions_to_follow_is_the_first_step_at_which_half_of_the_list_is_in_the_new_group() -> None:
    # STEPS are 0, 1, 2, 3, 5, 8, 13, 20
    shares = steps_by_users(
        [0, 0.5, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9],  # at once
        [0, 0.4, 0.4, 0.6, 0.2, 0.2, 0.2, 0.2],  # at 3, although it changes back
        [0, 0, 0, 0, 0, 0, 0, 0.5],  # at the last
        [0.4] * 8,  # never
    )
    assert drift_metrics.interactions_to_follow(shares).tolist() == [1, 3, 20, np.inf]


def test_model_drift_is_the_median_and_the_share_of_users_that_were_followed() -> None:
    shares = steps_by_users([0, 1, 1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1, 1, 1], [0] * 8, [0] * 8)
    metrics = drift_metrics.model_drift(shares, np.zeros_like(shares))
    assert (metrics.interactions_to_follow, metrics.followed) == (2, 0.5)
    assert metrics.share[:3] == [0, 0.25, 0.5]
    never = drift_metrics.model_drift(shares[:, 1:], np.zeros_like(shares[:, 1:]))
    assert never.interactions_to_follow is None
    assert never.followed == pytest.approx(1 / 3)


def test_shares_count_the_first_ten_items_without_padding() -> None:
    members = np.zeros((2, 30), bool)
    members[0, :10] = members[1, 10:20] = True
    lists = np.full((len(STEPS), 2, 20), 25)
    lists[:, 0, 10:] = 3  # beyond the ten
    lists[1, 0, :4] = 3
    lists[2, 1, :6] = [10, 11, 12, -1, -1, -1]
    shares = drift_metrics.new_group_shares(lists.reshape(-1, 20), members)
    assert shares[:3].tolist() == [[0, 0], [0.4, 0], [0, 0.3]]


def shifts(count):
    groups = ItemGroups(
        "categories", ["old", "new"], np.eye(2, dtype=bool).repeat(20, axis=1), np.array([0.5, 0.2])
    )
    one = InterestShift("u", 0, 1, History(), NO_ITEMS, [], NO_ITEMS)
    return [one] * count, groups


def ranked(users, first_step):
    """Return lists of the old group, and of the new one from a step on; targets are hit in the new group."""
    new = np.repeat(np.arange(len(STEPS)) >= first_step, users)
    items = np.where(new[:, None], np.arange(20, 40), np.arange(20))
    return RankedQueries(np.where(new, 1, MISS), items)


def test_measure_compares_models_that_follow_early_late_and_never() -> None:
    users, groups = shifts(12)
    metrics = drift_metrics.measure(
        users, groups, {"quick": ranked(12, 1), "slow": ranked(12, 4), "never": ranked(12, 99)}
    )
    needed = {name: model.interactions_to_follow for name, model in metrics.models.items()}
    assert needed == {"quick": 1, "slow": 5, "never": None}
    assert metrics.models["slow"].hit_rate == [0, 0, 0, 0, 1, 1, 1, 1]
    assert (metrics.users, metrics.left_out, metrics.base_rate) == (12, 0, pytest.approx(0.2))
    assert metrics.pairs == {"old → new": 12}


def test_measure_leaves_out_users_whose_list_was_in_the_new_group_before_the_shift() -> None:
    users, groups = shifts(15)
    ahead = ranked(15, 1)
    ahead.items[:3] = np.arange(20, 40)
    metrics = drift_metrics.measure(users, groups, {"ahead": ahead, "never": ranked(15, 99)})
    assert (metrics.users, metrics.left_out) == (12, 3)
    users, groups = shifts(12)
    ahead = ranked(12, 1)
    ahead.items[:3] = np.arange(20, 40)
    assert drift_metrics.measure(users, groups, {"ahead": ahead}) is None  # nine users are too few
