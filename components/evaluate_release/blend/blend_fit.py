"""Fits the weights of the reranker's features on the items that users chose in the validation split."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from components.evaluate_release.blend.calibration import fit_calibration
from components.evaluate_release.blend.conditional_logit import Choices, Weights, fit_weights
from components.evaluate_release.blend.feature_elimination import CrossFit, eliminate
from components.progress import report
from serving.ranking.blend_features import FEATURES
from serving.release.arrays import FloatArray

# More queries or candidates barely change a dozen weights, and cost time and memory. On MovieLens-100K the
# served NDCG@10 is .172 with 200 and with 1,000 candidates, which take 20 times as long.
MAX_QUERIES: Final = 2_000
MAX_CANDIDATES: Final = 200

# Strongest first, since each fit starts from the weights of the previous one.
PENALTIES: Final = (1e-1, 1e-2, 1e-3, 1e-4)

INTEREST: Final = FEATURES.index("interest")

# The recommender uses these with weights of its own, whatever the fit finds.
FIXED: Final = ("dislikes", "search")

# A feature with a smaller deviation is constant, and gets no weight.
MIN_SCALE: Final = 1e-7


def fit_blend(features: Sequence[FloatArray], targets: Sequence[int]) -> dict[str, Any]:
    """Fit the weights of score = Σ weight · (feature − mean) / scale; a removed feature has the weight 0.

    Args:
        features: for each query [candidates, features] float32, in the order of FEATURES.
        targets: for each query the position of the chosen item among the candidates, -1 if it is not there;
            such a query is ignored.

    Returns:
        blend.json: features, weights, means and scales (lists in the order of FEATURES), the number of
        queries, the penalty, the cross-validated log loss of the blend, of the blend with the interest if
        that was removed, and of a uniform guess, and the calibration of scores to click probabilities. With
        fewer than 2 queries all weights are 1.

    Raises:
        ValueError: features or targets have another shape.
    """
    _check(features, targets)
    usable = [query for query, target in enumerate(targets) if target >= 0 and len(features[query]) > 1]
    usable = usable[:: -(-len(usable) // MAX_QUERIES) or 1]
    if len(usable) < 2:
        report(f"blend: only {len(usable)} usable queries, so all features have the same weight")
        return _blend(np.ones(len(FEATURES)), np.zeros(len(FEATURES)), np.ones(len(FEATURES)), queries=0)
    choices, means, scales = _standardise(
        Choices.sample(
            [features[query] for query in usable], [targets[query] for query in usable], MAX_CANDIDATES
        )
    )
    # Threads don't speed up matrices with so few columns, and would make sums depend on their number.
    with threadpool_limits(1, "blas"):
        usable_features = np.flatnonzero(scales >= MIN_SCALE)
        weights, penalty, fit = _fit(choices, usable_features)
        with_interest = _loss_with(choices, INTEREST, usable_features, penalty, fit)
    report(_features_line(fit.features))
    guessing = float(np.log(choices.lengths).mean())
    report(
        f"blend: cross-validated log loss {fit.loss:.3f} on {len(choices):,} queries "
        f"(uniform guess {guessing:.3f}), penalty {penalty:g}"
    )
    scales = np.where(scales < MIN_SCALE, 1, scales)
    # Calibrated on all candidates, as served, although the weights were fitted on a sample.
    curve = fit_calibration(
        (((features[query] - means) @ (weights / scales)).astype(np.float32), targets[query])
        for query in usable
    )
    report(
        f"calibration of click probabilities: slope {curve['slope']:.3f}, intercept "
        f"{curve['intercept']:.3f}, expected calibration error of the first ten "
        f"{curve['expected_calibration_error']:.4f}"
    )
    about: dict[str, Any] = {"queries": len(choices), "penalty": penalty, "log_loss": fit.loss}
    about |= {"log_loss_with_interest": with_interest, "guessing": guessing}
    return _blend(weights, means, scales, **about, calibration=curve)


def _standardise(choices: Choices) -> tuple[Choices, Weights, Weights]:
    """Scale features to mean 0 and deviation 1, so that one penalty suits all; return means and scales."""
    means = choices.features.mean(axis=0, dtype=np.float64)
    scales = choices.features.std(axis=0, dtype=np.float64)
    standard = (choices.features - means.astype(np.float32)) / np.maximum(scales, MIN_SCALE).astype(
        np.float32
    )
    return replace(choices, features=standard), means, scales


def _fit(choices: Choices, features: NDArray[np.intp]) -> tuple[Weights, float, CrossFit]:
    """Choose the penalty by cross-validation, remove useless features, and fit the weights on all queries."""
    halves = choices.halves()
    start, best, best_penalty = (np.zeros(len(features)),) * 2, None, 0.0
    for penalty in PENALTIES:
        fit = CrossFit.of(halves, features, penalty, start)
        start = fit.weights
        if best is None or fit.loss < best.loss:
            best, best_penalty = fit, penalty
    assert best is not None
    reduced = eliminate(halves, best_penalty, best)
    weights = np.zeros(choices.features.shape[1])
    weights[reduced.features] = fit_weights(
        choices.with_features(reduced.features), best_penalty, reduced.weights[0]
    )
    return weights, best_penalty, reduced


def _loss_with(
    choices: Choices, feature: int, usable: NDArray[np.intp], penalty: float, fit: CrossFit
) -> float | None:
    """Return the cross-validated log loss with a removed feature; None if it is kept, or constant."""
    if feature in fit.features or feature not in usable:
        return None
    start = (np.append(fit.weights[0], 0.0), np.append(fit.weights[1], 0.0))
    return CrossFit.of(choices.halves(), np.append(fit.features, feature), penalty, start).loss


def _features_line(kept: NDArray[np.intp]) -> str:
    used = ", ".join(FEATURES[feature] for feature in kept)
    removed = ", ".join(
        name for feature, name in enumerate(FEATURES) if feature not in kept and name not in FIXED
    )
    return f"blend: uses {used or 'no feature'}; removed as redundant: {removed or 'none'}"


def _blend(weights: Weights, means: Weights, scales: Weights, **about: Any) -> dict[str, Any]:
    lists = {"weights": weights.tolist(), "means": means.tolist(), "scales": scales.tolist()}
    return {"features": list(FEATURES), **lists, **about}


def _check(features: Sequence[FloatArray], targets: Sequence[int]) -> None:
    if len(features) != len(targets):
        raise ValueError(
            f"expected one target per query, got {len(features)} queries and {len(targets)} targets"
        )
    for query, (rows, target) in enumerate(zip(features, targets, strict=True)):
        if rows.ndim != 2 or rows.shape[1] != len(FEATURES) or not -1 <= target < len(rows):
            raise ValueError(
                f"query {query}: expected features [candidates, {len(FEATURES)}] and a target among them "
                f"or -1, got {list(rows.shape)} and {target}"
            )
