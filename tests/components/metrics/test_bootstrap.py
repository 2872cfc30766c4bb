"""Bootstrap intervals and the paired test: width, coverage and reproducibility."""

import numpy as np
import pytest

from components.metrics.bootstrap import (
    MIN_USERS,
    bootstrap_means,
    difference_interval,
    intervals,
    paired_p_values,
)


def test_the_interval_equals_the_normal_interval_for_many_users() -> None:
    values = np.random.default_rng(0).normal(3, 1, size=(2000, 1))
    low, high = intervals(values, np.arange(2000), seed=1, resamples=2000)[:, 0]
    half = 1.96 * values.std() / np.sqrt(2000)
    assert low == pytest.approx(values.mean() - half, abs=0.01)
    assert high == pytest.approx(values.mean() + half, abs=0.01)


def test_repeated_queries_of_a_user_do_not_shrink_the_interval() -> None:
    one = np.random.default_rng(0).normal(size=(200, 1))
    single = intervals(one, np.arange(200), seed=3)
    repeated = intervals(np.repeat(one, 10, axis=0), np.repeat(np.arange(200), 10), seed=3)
    assert repeated == pytest.approx(single)


def test_too_few_users_have_no_interval() -> None:
    values, users = np.ones((100, 1)), np.arange(100) % (MIN_USERS - 1)
    assert np.isnan(intervals(values, users, seed=0)).all()
    assert difference_interval(values[:, 0], values[:, 0], users, seed=0) is None
    assert intervals(values, np.arange(100) % MIN_USERS, seed=0).tolist() == [[1.0], [1.0]]


def test_the_fewest_users_with_an_interval_are_covered_in_nine_of_ten_trials() -> None:
    rng, covered = np.random.default_rng(5), 0
    for trial in range(200):
        values = rng.binomial(1, 0.3, (MIN_USERS, 1)).astype(float)
        low, high = intervals(values, np.arange(MIN_USERS), seed=trial, resamples=300)[:, 0]
        covered += int(low <= 0.3 <= high)
    assert covered >= 180


def test_the_interval_of_a_difference_is_paired() -> None:
    hard = np.random.default_rng(0).normal(0, 10, 400)
    gain = np.random.default_rng(1).normal(0.5, 0.1, 400)
    interval = difference_interval(hard + gain, hard, np.arange(400), seed=0)
    assert interval == pytest.approx((0.49, 0.51), abs=0.01)  # unpaired it would be 2 wide


def test_95_percent_intervals_contain_the_true_mean_in_about_95_percent_of_trials() -> None:
    rng, covered = np.random.default_rng(5), 0
    for trial in range(200):
        low, high = intervals(
            rng.binomial(1, 0.3, (150, 1)).astype(float), np.arange(150), trial, resamples=300
        )[:, 0]
        covered += low <= 0.3 <= high
    assert 180 <= covered <= 199


def test_the_same_seed_draws_the_same_resamples() -> None:
    values = np.random.default_rng(0).normal(size=(50, 2))
    first, again = (bootstrap_means(values, np.arange(50), seed=7, resamples=150) for _ in range(2))
    assert first.shape == (150, 2)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, bootstrap_means(values, np.arange(50), seed=8, resamples=150))


def test_queries_without_a_value_are_left_out() -> None:
    values = np.tile([[1.0, np.nan], [1.0, 2.0], [np.nan, np.nan]], (MIN_USERS // 3, 1))
    bounds = intervals(values, np.arange(MIN_USERS), seed=0, resamples=50)
    assert bounds == pytest.approx(np.array([[1.0, 2.0], [1.0, 2.0]]))


def test_a_metric_without_values_has_no_interval() -> None:
    assert np.isnan(intervals(np.full((4, 1), np.nan), np.arange(4), seed=0)).all()


def test_a_real_difference_is_significant_and_noise_is_not() -> None:
    rng = np.random.default_rng(1)
    theirs = rng.normal(size=(400, 3))
    ours = theirs + np.array([0.3, 0.0, 0.0]) + rng.normal(0, [0.5, 0.5, 0.0], (400, 3))
    better, noise, equal = paired_p_values(ours, theirs, np.repeat(np.arange(200), 2), seed=1)
    assert better < 0.01
    assert noise > 0.05
    assert equal == 1.0


def test_p_values_are_uniform_when_there_is_no_difference() -> None:
    rng = np.random.default_rng(2)
    ours, theirs = rng.normal(size=(2, 60, 400))
    p_values = paired_p_values(ours, theirs, np.arange(60), seed=0, resamples=300)
    assert np.mean(p_values < 0.1) == pytest.approx(0.1, abs=0.05)
