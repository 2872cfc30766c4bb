"""The blend recovers known weights, finds none in noise, and handles too few queries."""

import numpy as np
import pytest

from components.evaluate_release.blend.blend_fit import fit_blend
from components.evaluate_release.blend.conditional_logit import (
    Choices,
    fit_weights,
    hessian,
    log_loss,
    log_losses,
)
from serving.ranking.blend_features import FEATURES

COUNT = len(FEATURES)
WEIGHTS = {"interest": 2.0, "transitions": 1.0, "ease": 0.5, "content": -1.0}
PLANTED = np.array([WEIGHTS.get(feature, 0.0) for feature in FEATURES])


def queries(weights: np.ndarray, count: int = 400, seed: int = 0) -> tuple[list[np.ndarray], list[int]]:
    """Return `count` queries of 30 to 60 candidates; the choice follows a softmax over weighted features."""
    generator = np.random.default_rng(seed)
    features = [
        generator.normal(size=(generator.integers(30, 60), COUNT)).astype(np.float32) for _ in range(count)
    ]
    chosen = [int(np.argmax(rows @ weights + generator.gumbel(size=len(rows)))) for rows in features]
    return features, chosen


def test_the_fit_recovers_the_weights() -> None:
    blend = fit_blend(*queries(PLANTED, count=1500))
    np.testing.assert_allclose(np.array(blend["weights"]) / blend["scales"], PLANTED, atol=0.15)
    assert blend["log_loss"] < 0.6 * blend["guessing"]
    assert blend["features"] == list(FEATURES)
    assert blend["queries"] == 1500


def test_useful_features_are_kept_and_noise_is_removed() -> None:
    """By chance a noise feature may help in both halves, so a few are kept."""
    blends = [fit_blend(*queries(PLANTED, count=2000, seed=seed)) for seed in range(5)]
    kept = np.array([blend["weights"] for blend in blends]) != 0
    assert kept[:, PLANTED != 0].all()
    assert kept[:, PLANTED == 0].mean() < 0.2


def test_the_kept_and_removed_features_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    fit_blend(*queries(PLANTED, count=2000))
    line = "blend: uses interest, transitions, ease, content; removed as redundant: item_cosine"
    assert line in capsys.readouterr().out


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_one_of_two_redundant_features_is_removed(noise: float) -> None:
    features, chosen = queries(PLANTED, count=1500)
    generator = np.random.default_rng(6)
    for rows in features:
        rows[:, 2] = 2 * rows[:, 0] + noise * generator.normal(size=len(rows))
    weights = np.array(fit_blend(features, chosen)["weights"])
    assert np.count_nonzero(weights[[0, 2]]) == 1
    assert weights[[0, 2]].max() == pytest.approx(2, abs=0.15)


def test_a_weak_feature_that_helps_is_kept() -> None:
    weak = np.array([2, 0.15, *np.zeros(COUNT - 2)])
    blend = fit_blend(*queries(weak, count=1500))
    assert np.flatnonzero(blend["weights"]).tolist() == [0, 1]


def test_the_loss_with_the_interest_is_kept_when_it_is_removed() -> None:
    without = np.array([0.0, *PLANTED[1:]])
    removed = fit_blend(*queries(without, count=1500))
    assert removed["weights"][0] == 0
    assert removed["log_loss_with_interest"] == pytest.approx(removed["log_loss"], rel=1e-3)
    assert fit_blend(*queries(PLANTED))["log_loss_with_interest"] is None


def test_constant_features_have_no_weight() -> None:
    features, chosen = queries(PLANTED, count=10)
    blend = fit_blend([np.ones_like(rows) for rows in features], chosen)
    assert blend["weights"] == [0.0] * COUNT
    assert blend["log_loss"] == pytest.approx(blend["guessing"], abs=0.1)


def test_noise_has_almost_no_weight() -> None:
    blend = fit_blend(*queries(np.zeros(COUNT)))
    assert np.abs(blend["weights"]).max() < 0.15
    assert blend["log_loss"] == pytest.approx(blend["guessing"], abs=0.02)
    assert blend["penalty"] == 0.1


def test_the_features_scales_do_not_matter() -> None:
    features, chosen = queries(PLANTED)
    stretched = [rows * np.float32(1000) + np.float32(5) for rows in features]
    plain, calibrated = fit_blend(features, chosen), fit_blend(stretched, chosen)
    np.testing.assert_allclose(calibrated["weights"], plain["weights"], atol=0.01)
    np.testing.assert_allclose(calibrated["scales"], 1000 * np.array(plain["scales"]), rtol=1e-3)


def test_one_constant_feature_has_no_weight() -> None:
    features, chosen = queries(PLANTED)
    for rows in features:
        rows[:, 0] = -7.3
    blend = fit_blend(features, chosen)
    assert blend["weights"][0] == 0
    assert np.isfinite(blend["weights"]).all()
    assert min(blend["scales"]) > 0


def test_the_fit_is_reproducible() -> None:
    assert fit_blend(*queries(PLANTED)) == fit_blend(*queries(PLANTED))


def test_queries_without_their_target_are_ignored() -> None:
    features, chosen = queries(PLANTED)
    missed = [rows + np.float32(3) for rows in features[:50]]
    assert fit_blend(features + missed, chosen + [-1] * 50) == fit_blend(features, chosen)


@pytest.mark.parametrize("usable", [0, 1])
def test_with_too_few_queries_all_weights_are_one(usable: int) -> None:
    features, chosen = queries(PLANTED, count=3)
    blend = fit_blend(features, chosen[:usable] + [-1] * (3 - usable))
    assert blend["weights"] == [1.0] * COUNT
    assert blend["queries"] == 0


def test_without_queries_all_weights_are_one() -> None:
    assert fit_blend([], [])["weights"] == [1.0] * COUNT


def test_sampled_candidates_give_the_same_weights() -> None:
    features, chosen = queries(PLANTED, count=1500)
    sampled = Choices.sample(features, chosen, max_candidates=15)
    assert sampled.lengths.max() <= 31
    np.testing.assert_allclose(fit_weights(sampled, 1e-4, np.zeros(COUNT)), PLANTED, atol=0.25)


def test_log_loss_by_hand() -> None:
    # Scores 1 and 0, the first is chosen: −log(e / (e + 1)); the gradient is expected − chosen features.
    choices = Choices.sample([np.array([[1.0], [0.0]], np.float32)], [0], 10)
    loss, gradient = log_loss(choices, np.array([1.0]))
    assert loss == pytest.approx(np.log(1 + np.exp(-1)), rel=1e-5)
    assert gradient[0] == pytest.approx(np.e / (np.e + 1) - 1, rel=1e-5)


def test_the_gradient_equals_finite_differences_of_the_loss() -> None:
    choices = Choices.sample(*queries(PLANTED, count=20), 100)
    weights, step = np.linspace(-1, 1, COUNT), 1e-2
    _, gradient = log_loss(choices, weights)
    for feature in range(COUNT):
        ahead, behind = weights.copy(), weights.copy()
        ahead[feature] += step
        behind[feature] -= step
        numeric = (log_loss(choices, ahead)[0] - log_loss(choices, behind)[0]) / (2 * step)
        assert gradient[feature] == pytest.approx(numeric, abs=1e-3)


def test_the_hessian_equals_finite_differences_of_the_gradient() -> None:
    choices = Choices.sample(*queries(PLANTED, count=20), 100)
    weights, step = np.linspace(-1, 1, COUNT), 1e-2
    computed = hessian(choices, weights)
    for feature in range(COUNT):
        ahead, behind = weights.copy(), weights.copy()
        ahead[feature] += step
        behind[feature] -= step
        numeric = (log_loss(choices, ahead)[1] - log_loss(choices, behind)[1]) / (2 * step)
        np.testing.assert_allclose(computed[feature], numeric, atol=2e-3)


def test_log_losses_are_those_of_each_query() -> None:
    choices = Choices.sample(*queries(PLANTED, count=20), 100)
    losses = log_losses(choices, PLANTED)
    for query in range(20):
        alone = choices.take(np.arange(20) == query)
        assert losses[query] == pytest.approx(log_loss(alone, PLANTED)[0], rel=1e-5)


def test_a_target_outside_its_candidates_raises() -> None:
    features, chosen = queries(PLANTED, count=3)
    with pytest.raises(ValueError, match="query 1: expected features"):
        fit_blend(features, [chosen[0], 60, chosen[2]])


def test_another_number_of_targets_raises() -> None:
    features, chosen = queries(PLANTED, count=3)
    with pytest.raises(ValueError, match="3 queries and 2 targets"):
        fit_blend(features, chosen[:2])
