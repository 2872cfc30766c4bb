"""The comparison of arms: by hand, seldom certain without a difference, and quicker by interleaving."""

import math

import numpy as np
import pytest

from components.evaluate_online.always_valid import compare, ratio_and_variance
from components.evaluate_online.arm_comparison import preference, relative_difference, sample_ratio
from tests.compared_rankers import (
    AB_TEST,
    ALIKE,
    Rankers,
    false_alarms_of_a_ramp,
    false_alarms_of_guardrails,
    false_alarms_of_preferences,
    false_alarms_of_the_test,
    needed_by_each,
)


def test_the_p_value_and_the_interval_by_hand() -> None:
    """The likelihood of 2 under a variance of 1 + 3, over that under 1."""
    ratio = math.sqrt(1 / 4) * math.exp(2**2 / 2 * (1 - 1 / 4))
    result = compare(2.0, 1.0, math.sqrt(3))
    assert result.p_value == pytest.approx(1 / ratio)
    edge = compare(result.high - result.value, 1.0, math.sqrt(3))  # at its end the interval excludes zero
    assert edge.p_value == pytest.approx(0.05)
    assert compare(0.0, 1.0, 1.0).p_value == 1.0


def test_the_variance_of_a_ratio_is_that_of_resampled_users() -> None:
    rng = np.random.default_rng(0)
    counted = rng.integers(1, 20, 400).astype(np.float64)
    events = rng.binomial(counted.astype(int), rng.beta(2, 8, 400)).astype(np.float64)
    ratio, variance = ratio_and_variance(events, counted)
    drawn = rng.multinomial(400, np.full(400, 1 / 400), 4_000)
    assert ratio == events.sum() / counted.sum()
    assert math.sqrt(variance) == pytest.approx(float((drawn @ events / (drawn @ counted)).std()), rel=0.1)


def test_few_events_or_users_give_no_verdict() -> None:
    many, few = np.full(100, 5.0), np.where(np.arange(100) < 5, 50.0, 0.0)
    assert relative_difference((many, 10 * many), (few, 10 * few)) is None
    assert relative_difference((many, 10 * many), (many / 100, many)) is None
    assert preference(few, few) is None
    assert relative_difference((many, 10 * many), (many, 10 * many)) is None  # no variance


def test_a_large_difference_is_certain_and_has_its_sign() -> None:
    rng = np.random.default_rng(0)
    counted = np.full(2_000, 10.0)
    low, high = (rng.binomial(10, rate, 2_000).astype(np.float64) for rate in (0.1, 0.15))
    nobody = np.zeros(2_000)
    arms = [
        (np.append(low, nobody), np.append(counted, nobody)),
        (np.append(nobody, high), np.append(nobody, counted)),
    ]
    result = relative_difference(*arms)
    assert result is not None
    assert result.is_certain
    assert math.exp(result.low) < 1.5 < math.exp(result.high)
    preferred = preference(high, low)
    assert preferred is not None
    assert preferred.is_certain
    assert preferred.high < 0


def test_the_ratio_of_strata_is_that_of_mantel_and_haenszel_by_hand() -> None:
    """Rates of 1/2 and 1/5 in the control arm, twice as much in the other one."""
    ones = np.ones(40)
    control = np.outer([50.0, 20.0], ones), np.outer([100.0, 100.0], ones)
    treatment = np.outer([100.0, 120.0], ones), np.outer([100.0, 300.0], ones)
    treatment[0][:, 0] += 1  # some variance
    result = relative_difference(control, treatment)
    assert result is not None
    assert math.exp(result.value) == pytest.approx(2, rel=0.001)


def test_a_ramp_in_a_changing_world_makes_no_difference() -> None:
    """Most of the control arm's answers are of a time with twice as many clicks, and no canary."""
    rng = np.random.default_rng(0)
    at, counted = rng.random(3_000), np.full(3_000, 20.0)
    clicked = np.stack([rng.binomial(20, rate, 3_000) for rate in (0.3, 0.15)]).astype(np.float64)
    canary = np.stack([at < share for share in (0.05, 0.5)])
    control, treatment = ((clicked * is_in, counted * is_in) for is_in in (~canary, canary))
    pooled = [(events.sum(axis=0), shown.sum(axis=0)) for events, shown in (control, treatment)]
    misled, result = relative_difference(*pooled), relative_difference(control, treatment)
    assert misled is not None
    assert misled.is_certain
    assert result is not None
    assert result.low < 0 < result.high
    assert not result.is_certain


def test_a_wrong_ratio_of_the_users_is_found() -> None:
    halves = (0.5, 0.5)
    assert sample_ratio([([5_000, 5_100], halves)]) > 0.05
    assert sample_ratio([([5_000, 5_600], halves)]) < 0.001
    assert sample_ratio([([2_500, 2_800], halves), ([900, 190], (0.9, 0.1))]) < 0.001
    assert sample_ratio([([100, 100], (0.25, 0.75))]) < 0.001
    assert sample_ratio([([900, 100], (0.9, 0.1))]) == 1


def test_the_ratio_of_few_users_is_no_fault() -> None:
    """Two of 20 users at 1 % have a probability of .017, which a chi-square test gives as .00005."""
    assert sample_ratio([([18, 2], (0.99, 0.01))]) > 0.017


def test_the_ratio_may_be_looked_at_after_each_user() -> None:
    rng, alarms = np.random.default_rng(0), 0
    for _ in range(100):
        in_canary = np.cumsum(rng.random(500) < 0.1).tolist()
        looks = (sample_ratio([([n - m, m], (0.9, 0.1))]) for n, m in enumerate(in_canary, 1))
        alarms += min(looks) <= 0.05
    assert alarms <= 11  # 5 expected at most, and 11 are 3 sigma


def test_false_alarms_in_aa_experiments_are_rare() -> None:
    """`python -m tests.compared_rankers` runs 1,000; of 100, 5 are expected at most, and 11 are 3 sigma."""
    assert false_alarms_of_the_test(100, users=300, looks=20) <= 11
    assert false_alarms_of_a_ramp(100, users=300, looks=20) <= 11
    assert false_alarms_of_preferences(100, users=300, looks=20) <= 11
    assert false_alarms_of_guardrails(20, users=200) <= 4


def test_interleaving_needs_at_most_a_tenth_of_the_requests_of_an_ab_test() -> None:
    rankers = Rankers.simulated(ALIKE, users=1_000)
    needed = needed_by_each(rankers, 12_000, np.random.default_rng(1))
    ab_test = needed.pop(AB_TEST)
    assert len(needed) == 2
    assert all(10 * requests <= ab_test for requests in needed.values())
