"""Removes features that don't improve the blend: each one costs time in every request.

Backward elimination (Efroymson 1960, "Multiple regression analysis"), judged by cross-validation.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from components.evaluate_release.blend.conditional_logit import (
    Choices,
    Weights,
    fit_weights,
    hessian,
    log_losses,
)

# A feature is removed if that raises the log loss, plus one standard error, by less than this share.
TOLERANCE: Final = 1e-3


@dataclass(frozen=True, eq=False)
class CrossFit:
    """Weights fitted on each half of the queries, with their log losses on the other half."""

    features: NDArray[np.intp]  # [kept] columns of the features that have a weight
    weights: tuple[Weights, Weights]  # [kept] of each half
    losses: Weights  # [queries] of one half, then of the other

    @classmethod
    def of(
        cls,
        halves: tuple[Choices, Choices],
        features: NDArray[np.intp],
        penalty: float,
        start: tuple[Weights, Weights],
    ) -> "CrossFit":
        """Fit the weights of `features`, starting from `start`."""
        first, second = (half.with_features(features) for half in halves)
        weights = fit_weights(first, penalty, start[0]), fit_weights(second, penalty, start[1])
        losses = np.concatenate([log_losses(second, weights[0]), log_losses(first, weights[1])])
        return cls(features, weights, losses)

    @property
    def loss(self) -> float:
        return float(self.losses.mean())


def eliminate(halves: tuple[Choices, Choices], penalty: float, fit: CrossFit) -> CrossFit:
    """Return `fit` without the useless features; at least one is kept.

    Tries each feature once, the weakest first. Each smaller fit is compared with the best one so far, so
    that small losses don't add up.
    """
    best, tried = fit, set[int]()
    while len(fit.features) > 1 and (untried := set(fit.features.tolist()) - tried):
        strengths = dict(zip(fit.features.tolist(), _strengths(halves, penalty, fit), strict=True))
        weakest = min(untried, key=lambda feature: strengths[feature])
        tried.add(weakest)
        others = fit.features != weakest
        start = fit.weights[0][others], fit.weights[1][others]
        without = CrossFit.of(halves, fit.features[others], penalty, start)
        if _is_harmless(without.losses - best.losses, best.loss):
            fit, best = without, min(best, without, key=lambda tested: tested.loss)
    return fit


def _strengths(halves: tuple[Choices, Choices], penalty: float, fit: CrossFit) -> Weights:
    """Return [kept] Wald's statistic, weight² / diag(H⁻¹): about twice the log loss that a feature saves.

    Of two redundant features each is weak, however large its weight.
    """
    strengths = np.zeros(len(fit.features))
    for half, weights in zip(halves, fit.weights, strict=True):
        curvature = hessian(half.with_features(fit.features), weights) + 2 * penalty * np.eye(len(weights))
        strengths += weights**2 / np.diag(np.linalg.inv(curvature))
    return strengths


def _is_harmless(increase: Weights, loss: float) -> bool:
    """Return whether the increase [queries] of the log loss is within TOLERANCE of the mean `loss`."""
    standard_error = increase.std() / np.sqrt(len(increase))
    return bool(increase.mean() <= max(0.0, TOLERANCE * loss - standard_error))
