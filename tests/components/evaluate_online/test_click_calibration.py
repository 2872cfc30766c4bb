"""The calibration on clicks finds the planted curve, whatever the places; the reliability curve is honest."""

from dataclasses import replace

import numpy as np
import pytest

from components.evaluate_online import click_calibration
from components.evaluate_online.click_calibration import ShownItems, fit_on_clicks
from components.evaluate_online.off_policy import NoSupport
from components.metrics.reliability import POINTS, reliability

SLOPE, INTERCEPT = 0.7, -1.5


def shown(slope: float = SLOPE, count: int = 30_000) -> ShownItems:
    """Return items with planted click probabilities; place 3 is examined less, and has the worse items."""
    rng = np.random.default_rng(5)
    places = rng.integers(0, 3, count)
    log_odds = rng.normal(size=count) - places
    logits = slope * log_odds + INTERCEPT - 1.0 * (places == 2)
    clicked = (rng.random(count) < 1 / (1 + np.exp(-logits))).astype(np.float64)
    return ShownItems(log_odds, clicked, places, np.arange(count) // 10)


def test_the_planted_curve_of_the_first_place_is_found() -> None:
    curve = fit_on_clicks(shown())
    assert curve["slope"] == pytest.approx(SLOPE, abs=0.05)
    assert curve["intercept"] == pytest.approx(INTERCEPT, abs=0.1)
    assert (curve["learned_from"], curve["clicks"]) == ("clicks", shown().clicked.sum())
    points = curve["reliability"]
    assert len(points) == POINTS
    assert sum(point["low"] <= point["predicted"] <= point["high"] for point in points) >= 8
    assert sum(point["cases"] for point in points) == 30_000


def test_clicks_that_fall_with_the_score_calibrate_nothing() -> None:
    with pytest.raises(
        NoSupport, match=r"on 30,000 shown items .* not certain that higher .* \(slope -0\.\d+, 95 % "
    ):
        fit_on_clicks(shown(slope=-0.7))


def test_a_slope_that_may_be_chance_calibrates_nothing() -> None:
    # Of each user 100 equal items: as many clicks, and no more evidence than one item of each.
    certain = shown(slope=0.3, count=1_000)
    certain = replace(certain, users=np.arange(1_000))
    assert fit_on_clicks(certain)["slope"] > 0
    for times in (1, 100):
        few = np.repeat(np.arange(100), times)
        repeated = ShownItems(
            certain.log_odds[few], certain.clicked[few], certain.places[few], certain.users[few]
        )
        with pytest.raises(NoSupport, match=r"\(slope 0\.\d+, 95 % interval -0\.\d+ to \d\.\d+\)"):
            fit_on_clicks(repeated)


@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_the_error_of_the_slope_is_its_spread_over_samples(slope: float) -> None:
    found = [slope_and_error(slope, seed) for seed in range(200)]
    slopes, errors = np.array(found).T
    assert np.mean(errors) == pytest.approx(slopes.std(), rel=0.15)
    covered = np.abs(slopes - slope) <= 1.96 * errors
    assert 0.9 <= covered.mean() <= 0.985


def slope_and_error(slope: float, seed: int) -> tuple[float, float]:
    """Fit 200 users, each with 10 items of one score and of one click probability, which differs by user."""
    rng = np.random.default_rng(seed)
    users, log_odds = np.repeat(np.arange(200), 10), np.repeat(rng.normal(size=200), 10)
    logits = slope * log_odds + np.repeat(0.5 * rng.normal(size=200), 10)
    clicked = (rng.random(2_000) < 1 / (1 + np.exp(-logits))).astype(np.float64)
    features = np.stack([log_odds, np.ones(2_000)], axis=1)
    weights = click_calibration._fit(features, clicked)
    items = ShownItems(log_odds, clicked, np.zeros(2_000, np.int64), users)
    return weights[0], click_calibration._slope_error(weights, features, items)


def test_a_few_users_do_not_calibrate_for_everybody() -> None:
    few = replace(shown(), users=np.arange(30_000) % 29)
    with pytest.raises(NoSupport, match="answers to 29 users, and 30 are needed"):
        fit_on_clicks(few)
    assert fit_on_clicks(replace(few, users=np.arange(30_000) % 30))["slope"] > 0


def test_reliability_by_hand() -> None:
    # 100 cases at 1 %, and 10 at 50 %, of which 1 and 9 happened: 1 of 6 expected events, and 5 of 6.
    low, high = reliability(np.array([0.5, 0.01]), np.array([9.0, 1.0]), np.array([10.0, 100.0]))
    assert (low["predicted"], low["observed"], low["cases"]) == (0.01, 0.01, 100)
    assert (high["predicted"], high["observed"], high["cases"]) == (0.5, 0.9, 10)
    assert high["low"] == pytest.approx(0.596, abs=0.001)  # Wilson's interval of 9 of 10
    assert high["high"] == pytest.approx(0.982, abs=0.001)
    assert reliability(np.zeros(0), np.zeros(0), np.zeros(0)) == []
