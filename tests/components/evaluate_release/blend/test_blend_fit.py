"""The blend finds weights that were planted, finds none in noise, and says when it cannot learn."""

import numpy as np
import pytest

from components.evaluate_release.blend.blend_fit import fit_blend
from components.evaluate_release.blend.conditional_logit import (
    Choices,
    curvature,
    fit_weights,
    log_loss,
    log_losses,
)
from serving.ranking.reranking import FEATURES

COUNT = len(FEATURES)
WEIGHTS = {"interest": 2.0, "transitions": 1.0, "ease": 0.5, "content": -1.0}
PLANTED = np.array([WEIGHTS.get(term, 0.0) for term in FEATURES])


def queries(weights: np.ndarray, count: int = 400, seed: int = 0) -> tuple[list[np.ndarray], list[int]]:
    """`count` queries of 30 to 60 candidates; who is chosen follows a softmax over the weighted features."""
    generator = np.random.default_rng(seed)
    features = [
        generator.normal(size=(generator.integers(30, 60), COUNT)).astype(np.float32) for _ in range(count)
    ]
    chosen = [int(np.argmax(rows @ weights + generator.gumbel(size=len(rows)))) for rows in features]
    return features, chosen


def test_planted_weights_are_found() -> None:
    blend = fit_blend(*queries(PLANTED, count=1500))
    np.testing.assert_allclose(np.array(blend["weights"]) / blend["scales"], PLANTED, atol=0.15)
    assert blend["log_loss"] < 0.6 * blend["guessing"]
    assert blend["features"] == list(FEATURES)
    assert blend["queries"] == 1500


def test_what_is_useful_stays_and_noise_goes() -> None:
    """Chance lets one noise in twenty help in both halves: that one stays."""
    blends = [fit_blend(*queries(PLANTED, count=2000, seed=seed)) for seed in range(5)]
    kept = np.array([blend["weights"] for blend in blends]) != 0
    assert kept[:, PLANTED != 0].all()
    assert kept[:, PLANTED == 0].mean() < 0.1


def test_the_terms_that_stay_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    fit_blend(*queries(PLANTED, count=2000))
    told = "blend of interest, transitions, ease, content; left out as of no use beside those: item_cosine"
    assert told in capsys.readouterr().out


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_one_of_two_terms_that_say_the_same_goes(noise: float) -> None:
    features, chosen = queries(PLANTED, count=1500)
    generator = np.random.default_rng(6)
    for rows in features:  # the third says twice what the first says, and nothing of its own
        rows[:, 2] = 2 * rows[:, 0] + noise * generator.normal(size=len(rows))
    weights = np.array(fit_blend(features, chosen)["weights"])
    assert np.count_nonzero(weights[[0, 2]]) == 1
    assert weights[[0, 2]].max() == pytest.approx(2, abs=0.15)


def test_a_weak_term_that_helps_stays() -> None:
    weak = np.array([2, 0.15, *np.zeros(COUNT - 2)])
    blend = fit_blend(*queries(weak, count=1500))
    assert np.flatnonzero(blend["weights"]).tolist() == [0, 1]


def test_features_without_any_difference_weigh_nothing() -> None:
    features, chosen = queries(PLANTED, count=10)
    blend = fit_blend([np.ones_like(rows) for rows in features], chosen)
    assert blend["weights"] == [0.0] * COUNT
    assert blend["log_loss"] == pytest.approx(blend["guessing"], abs=0.1)


def test_nothing_is_found_in_noise() -> None:
    blend = fit_blend(*queries(np.zeros(COUNT)))
    assert np.abs(blend["weights"]).max() < 0.15
    assert blend["log_loss"] == pytest.approx(blend["guessing"], abs=0.02)
    assert blend["penalty"] == 0.1


def test_scales_do_not_matter() -> None:
    features, chosen = queries(PLANTED)
    stretched = [rows * np.float32(1000) + np.float32(5) for rows in features]
    plain, calibrated = fit_blend(features, chosen), fit_blend(stretched, chosen)
    np.testing.assert_allclose(calibrated["weights"], plain["weights"], atol=0.01)
    np.testing.assert_allclose(calibrated["scales"], 1000 * np.array(plain["scales"]), rtol=1e-3)


def test_a_term_that_says_nothing_weighs_nothing() -> None:
    features, chosen = queries(PLANTED)
    for rows in features:
        rows[:, 0] = -7.3
    blend = fit_blend(features, chosen)
    assert blend["weights"][0] == 0
    assert np.isfinite(blend["weights"]).all()
    assert min(blend["scales"]) > 0


def test_the_same_queries_give_the_same_blend() -> None:
    assert fit_blend(*queries(PLANTED)) == fit_blend(*queries(PLANTED))


def test_queries_without_their_target_teach_nothing() -> None:
    features, chosen = queries(PLANTED)
    missed = [rows + np.float32(3) for rows in features[:50]]
    assert fit_blend(features + missed, chosen + [-1] * 50) == fit_blend(features, chosen)


@pytest.mark.parametrize("found", [0, 1])
def test_without_queries_each_term_weighs_the_same(found: int) -> None:
    features, chosen = queries(PLANTED, count=3)
    blend = fit_blend(features, chosen[:found] + [-1] * (3 - found))
    assert blend["weights"] == [1.0] * COUNT
    assert blend["queries"] == 0


def test_no_query_at_all() -> None:
    assert fit_blend([], [])["weights"] == [1.0] * COUNT


def test_many_candidates_are_thinned_to_the_same_weights() -> None:
    features, chosen = queries(PLANTED, count=1500)
    thinned = Choices.sample(features, chosen, max_candidates=15)
    assert thinned.lengths.max() <= 31
    np.testing.assert_allclose(fit_weights(thinned, 1e-4, np.zeros(COUNT)), PLANTED, atol=0.25)


def test_log_loss_worked_by_hand() -> None:
    # Scores 1 and 0, the first chosen: −log(e / (e + 1)); the slope is what is expected less what was chosen.
    choices = Choices.sample([np.array([[1.0], [0.0]], np.float32)], [0], 10)
    loss, slope = log_loss(choices, np.array([1.0]))
    assert loss == pytest.approx(np.log(1 + np.exp(-1)), rel=1e-5)
    assert slope[0] == pytest.approx(np.e / (np.e + 1) - 1, rel=1e-5)


def test_the_slope_is_that_of_the_loss() -> None:
    choices = Choices.sample(*queries(PLANTED, count=20), 100)
    weights, step = np.linspace(-1, 1, COUNT), 1e-2
    _, slope = log_loss(choices, weights)
    for term in range(COUNT):
        ahead, behind = weights.copy(), weights.copy()
        ahead[term] += step
        behind[term] -= step
        numeric = (log_loss(choices, ahead)[0] - log_loss(choices, behind)[0]) / (2 * step)
        assert slope[term] == pytest.approx(numeric, abs=1e-3)


def test_the_curvature_is_that_of_the_slope() -> None:
    choices = Choices.sample(*queries(PLANTED, count=20), 100)
    weights, step = np.linspace(-1, 1, COUNT), 1e-2
    found = curvature(choices, weights)
    for term in range(COUNT):
        ahead, behind = weights.copy(), weights.copy()
        ahead[term] += step
        behind[term] -= step
        numeric = (log_loss(choices, ahead)[1] - log_loss(choices, behind)[1]) / (2 * step)
        np.testing.assert_allclose(found[term], numeric, atol=2e-3)


def test_losses_are_the_mean_of_each_query() -> None:
    choices = Choices.sample(*queries(PLANTED, count=20), 100)
    losses = log_losses(choices, PLANTED)
    for query in range(20):
        alone = choices.take(np.arange(20) == query)
        assert losses[query] == pytest.approx(log_loss(alone, PLANTED)[0], rel=1e-5)


def test_a_target_outside_its_candidates_is_refused() -> None:
    features, chosen = queries(PLANTED, count=3)
    with pytest.raises(ValueError, match="query 1: expected features"):
        fit_blend(features, [chosen[0], 60, chosen[2]])


def test_targets_must_match_the_queries() -> None:
    features, chosen = queries(PLANTED, count=3)
    with pytest.raises(ValueError, match="3 queries and 2 targets"):
        fit_blend(features, chosen[:2])
