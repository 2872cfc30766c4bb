"""The blend of the reranker's terms, learned from what people chose in the validation part."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from components.evaluate_release.blend.calibration import fit_calibration
from components.evaluate_release.blend.conditional_logit import Choices, Weights, fit_weights
from components.evaluate_release.blend.elimination import CrossFit, eliminate
from components.progress import report
from serving.ranking.reranking import FEATURES
from serving.release.arrays import FloatArray

# More hardly move a dozen weights, and cost time and memory.
MAX_QUERIES: Final = 2_000
MAX_CANDIDATES: Final = 1_000

# From the strongest: each fit begins where the one before ended.
PENALTIES: Final = (1e-1, 1e-2, 1e-3, 1e-4)

# A term that varies less than this among candidates says nothing of them.
FLAT: Final = 1e-7


def fit_blend(features: Sequence[FloatArray], targets: Sequence[int]) -> dict[str, Any]:
    """Weights of FEATURES: score = Σ weight · (feature − mean) / scale; 0 for a term that is left out.

    Args:
        features: a query's candidates each, [candidates, terms] float32 in the order of FEATURES.
        targets: the position of the true item among a query's candidates, -1 (teaching nothing) if none is.

    Returns:
        blend.json: terms, weights, means and scales (lists in the order of FEATURES), how many queries taught
        it, the penalty, the log loss of guessing and of the blend on queries set aside, and the calibration
        of scores to click probabilities. Without queries to learn from each term weighs the same.

    Raises:
        ValueError: features or targets have not the shape above.
    """
    _check(features, targets)
    usable = [query for query, target in enumerate(targets) if target >= 0 and len(features[query]) > 1]
    usable = usable[:: -(-len(usable) // MAX_QUERIES) or 1]
    if len(usable) < 2:
        report(f"blend: {len(usable)} queries to learn from, so each term weighs the same")
        return _document(np.ones(len(FEATURES)), np.zeros(len(FEATURES)), np.ones(len(FEATURES)), queries=0)
    choices, means, scales = _standardised(
        Choices.sample(
            [features[query] for query in usable], [targets[query] for query in usable], MAX_CANDIDATES
        )
    )
    # Matrices so thin gain nothing by threads, and sums no longer hang on their number.
    with threadpool_limits(1, "blas"):
        weights, penalty, kept = _fit(choices, np.flatnonzero(scales >= FLAT))
    report(_told(kept.terms))
    guessing = float(np.log(choices.lengths).mean())
    report(
        f"blend: {len(choices):,} queries, penalty {penalty:g}, log loss {kept.loss:.3f} on those set aside "
        f"({guessing:.3f} by guessing)"
    )
    scales = np.where(scales < FLAT, 1, scales)
    # The scores as served: of all candidates, though the weights were learned from some.
    curve = fit_calibration(
        (((features[query] - means) @ (weights / scales)).astype(np.float32), targets[query])
        for query in usable
    )
    report(f"click probability: log odds = {curve['slope']:.3f} · the share's {curve['intercept']:+.3f}")
    about = {"queries": len(choices), "penalty": penalty, "log_loss": kept.loss, "guessing": guessing}
    return _document(weights, means, scales, **about, calibration=curve)


def _standardised(choices: Choices) -> tuple[Choices, Weights, Weights]:
    """Each term with mean 0 and deviation 1, so that one penalty fits all; its means and scales [terms]."""
    means = choices.features.mean(axis=0, dtype=np.float64)
    scales = choices.features.std(axis=0, dtype=np.float64)
    standard = (choices.features - means.astype(np.float32)) / np.maximum(scales, FLAT).astype(np.float32)
    return replace(choices, features=standard), means, scales


def _fit(choices: Choices, terms: NDArray[np.intp]) -> tuple[Weights, float, CrossFit]:
    """Weights [terms], 0 of those that don't earn their place; the penalty; what stayed, judged aside."""
    halves = choices.halves()
    start, best, chosen = (np.zeros(len(terms)),) * 2, None, 0.0
    for penalty in PENALTIES:
        fit = CrossFit.of(halves, terms, penalty, start)
        start = fit.weights
        if best is None or fit.loss < best.loss:
            best, chosen = fit, penalty
    assert best is not None
    kept = eliminate(halves, chosen, best)
    weights = np.zeros(choices.features.shape[1])
    weights[kept.terms] = fit_weights(choices.of(kept.terms), chosen, kept.weights[0])
    return weights, chosen, kept


def _told(kept: NDArray[np.intp]) -> str:
    stay = ", ".join(FEATURES[term] for term in kept)
    gone = ", ".join(term for place, term in enumerate(FEATURES) if place not in kept)
    return f"blend of {stay or 'nothing'}; left out as of no use beside those: {gone or 'nothing'}"


def _document(weights: Weights, means: Weights, scales: Weights, **about: Any) -> dict[str, Any]:
    lists = {"weights": weights.tolist(), "means": means.tolist(), "scales": scales.tolist()}
    return {"features": list(FEATURES), **lists, **about}


def _check(features: Sequence[FloatArray], targets: Sequence[int]) -> None:
    if len(features) != len(targets):
        raise ValueError(f"expected a target a query, got {len(features)} queries and {len(targets)} targets")
    for query, (rows, target) in enumerate(zip(features, targets, strict=True)):
        if rows.ndim != 2 or rows.shape[1] != len(FEATURES) or not -1 <= target < len(rows):
            raise ValueError(
                f"query {query}: expected features [candidates, {len(FEATURES)}] and a target among them "
                f"or -1, got {list(rows.shape)} and {target}"
            )
