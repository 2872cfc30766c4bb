"""Calibrated probabilities equal the choice frequencies, for any scale of the scores."""

import numpy as np
import pytest

from components.evaluate_release.blend.blend_fit import fit_blend
from components.evaluate_release.blend.calibration import fit_calibration
from serving.ranking.calibration import click_probabilities, softmax_log_odds
from tests.components.evaluate_release.blend.test_blend_fit import PLANTED, queries


def chosen_by_softmax(sharpness: float, count: int = 3000) -> list[tuple[np.ndarray, int]]:
    """Return scores of 40 candidates, and the one chosen by a softmax over `sharpness` · scores."""
    generator = np.random.default_rng(3)
    scores = [generator.normal(size=40).astype(np.float32) * 2 for _ in range(count)]
    return [(row, int(np.argmax(sharpness * row + generator.gumbel(size=40)))) for row in scores]


@pytest.mark.parametrize("sharpness", [0.5, 1.0])
def test_the_mean_probability_of_a_band_equals_its_choice_frequency(sharpness: float) -> None:
    queries_and_choices = chosen_by_softmax(sharpness)
    blend = {"calibration": fit_calibration(queries_and_choices)}
    probabilities = np.concatenate([click_probabilities(scores, blend) for scores, _ in queries_and_choices])
    chosen = np.concatenate([np.arange(len(scores)) == target for scores, target in queries_and_choices])
    for low, high in ((0, 0.01), (0.01, 0.05), (0.05, 0.15), (0.15, 1)):
        band = (probabilities >= low) & (probabilities < high)
        assert np.count_nonzero(band) > 100
        assert probabilities[band].mean() == pytest.approx(chosen[band].mean(), rel=0.25, abs=0.002)
    assert probabilities.sum() == pytest.approx(len(queries_and_choices), rel=0.03)


def test_the_slope_corrects_scores_that_are_too_sharp() -> None:
    assert fit_calibration(chosen_by_softmax(0.5))["slope"] < 0.7
    assert fit_calibration(chosen_by_softmax(1.0))["slope"] == pytest.approx(1, abs=0.15)


def test_the_blend_contains_the_calibration() -> None:
    features, targets = queries(PLANTED, count=1000)
    blend = fit_blend(features, targets)
    weights = np.array(blend["weights"]) / blend["scales"]
    scores = [((rows - blend["means"]) @ weights).astype(np.float32) for rows in features]
    probabilities = [click_probabilities(row, blend) for row in scores]
    assert np.concatenate(probabilities).sum() == pytest.approx(len(features), rel=0.02)
    of_chosen = np.mean([row[target] for row, target in zip(probabilities, targets, strict=True)])
    assert of_chosen > 5 / 45  # five times a uniform guess


def test_without_calibration_the_probability_is_the_softmax_share() -> None:
    scores = np.log(np.array([0.5, 0.25, 0.25], np.float32))
    np.testing.assert_allclose(click_probabilities(scores, {}), [0.5, 0.25, 0.25], rtol=1e-6)
    np.testing.assert_allclose(softmax_log_odds(scores), np.log([1, 1 / 3, 1 / 3]), atol=1e-6)


def test_extreme_scores_stay_finite() -> None:
    for scores in ([], [7.0], [0.0, 1000.0], [-1e30, 1e30]):
        probabilities = click_probabilities(np.array(scores, np.float32), {})
        assert probabilities.shape == (len(scores),)
        assert np.isfinite(probabilities).all()


def test_the_reliability_curve_of_held_out_choices_lies_on_the_diagonal() -> None:
    calibration = fit_calibration(chosen_by_softmax(0.5))
    assert calibration["learned_from"] == "choices"
    points = calibration["reliability"]
    assert len(points) > 5
    assert sum(point["cases"] for point in points) == 40 * 3000
    for point in points:
        assert point["observed"] == pytest.approx(point["predicted"], rel=0.3)


def test_the_calibration_error_is_small_where_a_logistic_curve_fits_and_large_where_none_does() -> None:
    assert fit_calibration(chosen_by_softmax(0.5))["expected_calibration_error"] < 0.02
    # Half of the choices are the best item, the others the worst of the first ten: no function of the score.
    scores = [row for row, _ in chosen_by_softmax(1.0)]
    either = [(row, int(np.argsort(-row)[0 if number % 4 < 2 else 9])) for number, row in enumerate(scores)]
    assert fit_calibration(either)["expected_calibration_error"] > 0.02
