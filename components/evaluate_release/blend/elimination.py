"""Which terms of the blend stay: each costs time at every request, so each has to earn its place.

Backward elimination (Efroymson 1960, "Multiple regression analysis"), judged on queries set aside.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from components.evaluate_release.blend.conditional_logit import (
    Choices,
    Weights,
    curvature,
    fit_weights,
    log_losses,
)

# A term goes when the log loss is lower without it, or higher by at most this share, a standard error
# included: what isn't known to be useless stays.
TOLERANCE: Final = 1e-3


@dataclass(frozen=True, eq=False)
class CrossFit:
    """Weights learned from each half of the queries, judged on the other."""

    terms: NDArray[np.intp]  # [kept]
    weights: tuple[Weights, Weights]  # [kept] each
    losses: Weights  # [queries] of one half, then of the other

    @classmethod
    def of(
        cls,
        halves: tuple[Choices, Choices],
        terms: NDArray[np.intp],
        penalty: float,
        start: tuple[Weights, Weights],
    ) -> "CrossFit":
        """Of some terms; `start` [terms] each only saves time."""
        one, other = (half.of(terms) for half in halves)
        weights = fit_weights(one, penalty, start[0]), fit_weights(other, penalty, start[1])
        losses = np.concatenate([log_losses(other, weights[0]), log_losses(one, weights[1])])
        return cls(terms, weights, losses)

    @property
    def loss(self) -> float:
        return float(self.losses.mean())


def eliminate(halves: tuple[Choices, Choices], penalty: float, fit: CrossFit) -> CrossFit:
    """`fit` without the terms that don't earn their place; one stays at least.

    The weakest is tried first, and each once. All are compared with the best fit so far, so that small losses
    don't add up.
    """
    best, tried = fit, set[int]()
    while len(fit.terms) > 1 and (left := set(fit.terms.tolist()) - tried):
        strengths = dict(zip(fit.terms.tolist(), _strengths(halves, penalty, fit), strict=True))
        weakest = min(left, key=lambda term: strengths[term])
        tried.add(weakest)
        kept = fit.terms != weakest
        start = fit.weights[0][kept], fit.weights[1][kept]
        without = CrossFit.of(halves, fit.terms[kept], penalty, start)
        if _is_harmless(without.losses - best.losses, best.loss):
            fit, best = without, min(best, without, key=lambda found: found.loss)
    return fit


def _strengths(halves: tuple[Choices, Choices], penalty: float, fit: CrossFit) -> Weights:
    """[kept] about twice what the log loss gains by each: Wald's statistic, weight² / (H⁻¹) on the diagonal.

    So one of two terms that say the same is weak, however large its weight.
    """
    strengths = np.zeros(len(fit.terms))
    for half, weights in zip(halves, fit.weights, strict=True):
        hessian = curvature(half.of(fit.terms), weights) + 2 * penalty * np.eye(len(weights))
        strengths += weights**2 / np.diag(np.linalg.inv(hessian))
    return strengths


def _is_harmless(added: Weights, loss: float) -> bool:
    """`added`: [queries] to the log loss, whose mean was `loss`."""
    standard_error = added.std() / np.sqrt(len(added))
    return bool(added.mean() <= max(0.0, TOLERANCE * loss - standard_error))
