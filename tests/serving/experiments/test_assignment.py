"""The assignment of users to arms: even, lasting, and independent between experiments."""

import numpy as np
import pytest

from serving.experiments.assignment import assign, position
from tests.serving.experiments.experiments import AT, experiment, halves

USERS = [f"user {number}" for number in range(20_000)]
NOW = AT.timestamp() + 1


def test_positions_are_evenly_distributed_and_independent_of_another_experiments() -> None:
    first, second = (np.array([position(name, user) for user in USERS[:5_000]]) for name in ("a", "b"))
    assert np.histogram(first, 10, (0, 1))[0] == pytest.approx([500] * 10, abs=90)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.05


def test_the_shares_of_an_ab_experiment_hold_and_other_users_are_in_no_arm() -> None:
    arms = [{"name": "old", "release": 1, "share": 0.3}, {"name": "new", "release": 2, "share": 0.2}]
    given = [assign(experiment("ab", arms), user, NOW) for user in USERS]
    names = [arm.name if arm else "" for arm in given]
    assert names.count("old") / len(USERS) == pytest.approx(0.3, abs=0.015)
    assert names.count("new") / len(USERS) == pytest.approx(0.2, abs=0.015)


def test_everybody_is_in_an_arm_if_the_shares_sum_to_one() -> None:
    assert None not in [assign(halves(), user, NOW) for user in USERS[:1_000]]


def test_a_growing_share_only_adds_users() -> None:
    ramp = [{"at": AT, "share": 0.1}, {"at": AT.replace(hour=6), "share": 0.5}]
    canary = experiment("canary", ramp=ramp)
    before, later, never = (
        {user for user in USERS[:2_000] if assign(canary, user, seconds) is canary.arms[1]}
        for seconds in (NOW, NOW + 6 * 3600, AT.timestamp() - 1)
    )
    assert not never
    assert before < later
    assert (len(before), len(later)) == pytest.approx((200, 1_000), rel=0.2)
