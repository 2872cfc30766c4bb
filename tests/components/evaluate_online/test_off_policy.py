"""Off-policy estimators against true values: exactly on all possible answers, and on simulated logs."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from components.evaluate_online.off_policy import (
    LoggedAnswers,
    NoSupport,
    OffPolicyEvaluation,
    evaluate_off_policy,
)
from tests.logged_policies import Policies

# All answers with two of three items, each as likely under a uniform live policy.
ANSWERS = np.array(list(permutations(range(3), 2)))
# Rewards of an item at the first and at the second place.
REWARDS = np.array([[0.9, 0.3], [0.2, 0.1], [0.5, 0.4]])
REPEATS = 100


def logged(first: list[float], model: float = 0.0) -> LoggedAnswers:
    """Return each answer REPEATS times; the candidate draws by `first`, then by the same shares of the rest.

    `model`: what a reward model predicts for each item and place.
    """
    shares, places = np.array(first), np.arange(2)
    rewards = REWARDS[ANSWERS, places]
    chosen = shares[ANSWERS]
    left = 1 - chosen[:, 0]
    second = np.divide(chosen[:, 1], left, out=np.where(ANSWERS[:, 1] == 2, 1.0, 0.0), where=left > 0)
    fields = [
        rewards,
        np.broadcast_to([1 / 3, 1 / 2], rewards.shape),
        np.stack([chosen[:, 0], second], axis=1),
        np.full(rewards.shape, model),
        np.full(rewards.shape, model),
    ]
    users = np.arange(len(ANSWERS) * REPEATS) % 50
    return LoggedAnswers(users, *(np.tile(field, (REPEATS, 1)) for field in fields))


def values(evaluation: OffPolicyEvaluation) -> dict[str, float]:
    return {each.method: each.value for each in evaluation.estimates}


@pytest.mark.parametrize("model", [0.0, 0.7])
def test_on_all_answers_the_estimates_are_the_true_value_whatever_the_model(model: float) -> None:
    shares = [0.5, 0.2, 0.3]
    first = sum(share * REWARDS[item, 0] for item, share in enumerate(shares))
    second = sum(shares[a] * shares[b] / (1 - shares[a]) * REWARDS[b, 1] for a, b in ANSWERS)
    evaluation = evaluate_off_policy(logged(shares, model))
    for method in ("IPS", "SNIPS", "DR", "Switch-DR"):
        assert values(evaluation)[method] == pytest.approx(first + second)
    assert evaluation.support == pytest.approx(1)
    assert 100 < evaluation.effective < evaluation.answers == 600
    assert "replay" not in values(evaluation)


def test_replay_takes_the_answers_that_a_fixed_candidate_would_give() -> None:
    evaluation = evaluate_off_policy(logged([1.0, 0.0, 0.0]))  # item 0, then item 2
    assert values(evaluation)["replay"] == pytest.approx(REWARDS[0, 0] + REWARDS[2, 1])
    assert values(evaluation)["SNIPS"] == pytest.approx(REWARDS[0, 0] + REWARDS[2, 1])
    assert evaluation.effective == pytest.approx(REPEATS)


def test_switch_dr_trusts_the_model_where_weights_are_large() -> None:
    shares = [0.98, 0.01, 0.01]
    trusting = evaluate_off_policy(logged(shares, model=0.25), switch=0.0)
    assert values(trusting)["Switch-DR"] == pytest.approx(0.5)  # the model's value at both places
    assert values(trusting)["DR"] == pytest.approx(values(trusting)["IPS"])


def test_logs_that_can_not_tell_are_refused_with_the_reason() -> None:
    some = logged([0.5, 0.2, 0.3])
    users, rewards, ones = some.users, some.rewards, np.ones_like(some.rewards)
    model = some.modelled
    with pytest.raises(NoSupport, match=r"the live policy did not draw.*`exploration`"):
        evaluate_off_policy(LoggedAnswers(users, rewards, ones, some.candidate, model, model))
    never_shown = some.candidate * [0.6, 1.0]  # the rest of the mass is on an item that was never shown
    with pytest.raises(NoSupport, match="in about 40% of the answers, what the live policy could not show"):
        evaluate_off_policy(LoggedAnswers(users, rewards, some.propensities, never_shown, model, model))
    fields = (each[:60] for each in (rewards, some.propensities, some.candidate, model, model))
    few = LoggedAnswers(users[:60], *fields)
    with pytest.raises(NoSupport, match=r"60 answers are worth \d+ of the candidate, fewer than 100"):
        evaluate_off_policy(few)
    with pytest.raises(NoSupport, match="answers are of 29 users, and an interval needs 30"):
        evaluate_off_policy(replace(some, users=users % 29))
    with pytest.raises(NoSupport, match="nobody clicked an item"):
        evaluate_off_policy(replace(some, rewards=0 * rewards))
    with pytest.raises(ValueError, match=r"answer 0, place 1: expected a propensity .*, got 0.0"):
        evaluate_off_policy(LoggedAnswers(users, rewards, 0 * ones, some.candidate, model, model))


def test_the_intervals_of_simulated_logs_hold_the_true_value() -> None:
    """20 logs; `python -m tests.logged_policies` takes 100."""
    policies = Policies.simulated(users=300)
    inside = {"SNIPS": 0, "DR": 0}
    for seed in range(20):
        for each in evaluate_off_policy(policies.log(seed, users=200, answers=3)).estimates:
            if each.method in inside:
                inside[each.method] += each.low <= policies.true_value <= each.high
    assert min(inside.values()) >= 17
