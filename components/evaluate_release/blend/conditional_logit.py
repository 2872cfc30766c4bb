"""How people choose among candidates: a softmax over weighted features, fitted by maximum likelihood.

McFadden 1974, "Conditional logit analysis of qualitative choice behavior"; as a ranking loss it is ListNet's
top-one (Cao et al. 2007, "Learning to rank: from pairwise approach to listwise approach").
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from serving.release.arrays import FloatArray

Weights = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Choices:
    """Queries of which one candidate was chosen, their candidates end to end."""

    features: FloatArray  # [candidates of all queries, terms]
    lengths: NDArray[np.int64]  # [queries] candidates
    chosen: NDArray[np.int64]  # [queries] position among a query's candidates

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def starts(self) -> NDArray[np.int64]:
        """[queries] the row where a query's candidates begin."""
        starts: NDArray[np.int64] = np.cumsum(self.lengths) - self.lengths
        return starts

    def of(self, terms: NDArray[np.intp]) -> "Choices":
        """The same, of some terms only."""
        return replace(self, features=np.ascontiguousarray(self.features[:, terms]))

    @classmethod
    def sample(cls, features: Sequence[FloatArray], chosen: Sequence[int], max_candidates: int) -> "Choices":
        """Each query's candidates [m, terms], thinned evenly to about `max_candidates` beside the chosen one.

        Thinning without regard to the features leaves the fitted weights what they are, a little less sharp
        (McFadden 1978, "Modelling the choice of residential location").
        """
        parts, places = [], []
        for rows, target in zip(features, chosen, strict=True):
            kept = np.arange(0, len(rows), max(1, len(rows) // max_candidates))
            kept = np.union1d(kept, [target])
            parts.append(rows[kept])
            places.append(int(np.searchsorted(kept, target)))
        lengths = np.array([len(part) for part in parts], np.int64)
        joined = np.concatenate(parts).astype(np.float32, copy=False)
        return cls(joined, lengths, np.array(places, np.int64))

    def take(self, queries: NDArray[np.bool_]) -> "Choices":
        """The queries where the mask [queries] is true."""
        rows = np.repeat(queries, self.lengths)
        return Choices(self.features[rows], self.lengths[queries], self.chosen[queries])

    def halves(self) -> tuple["Choices", "Choices"]:
        """Every other query, and the rest."""
        odd = np.arange(len(self)) % 2 == 1
        return self.take(~odd), self.take(odd)


def log_losses(choices: Choices, weights: Weights) -> Weights:
    """[queries] −log P(chosen) of each, under a softmax over its candidates."""
    scores, totals = _odds(choices, weights)[1:]
    losses: Weights = np.log(totals) - scores[choices.starts + choices.chosen]
    return losses


def log_loss(choices: Choices, weights: Weights) -> tuple[float, Weights]:
    """The mean of −log P(chosen) under a softmax over each query's candidates, and its slope [terms]."""
    chosen = choices.starts + choices.chosen
    odds, scores, totals = _odds(choices, weights)
    loss = float((np.log(totals) - scores[chosen]).mean())
    odds /= np.repeat(totals, choices.lengths).astype(np.float32)
    expected = (odds @ choices.features).astype(np.float64) / len(choices)
    slope: Weights = expected - choices.features[chosen].mean(axis=0, dtype=np.float64)
    return loss, slope


def curvature(choices: Choices, weights: Weights) -> Weights:
    """[terms, terms] the second derivative of the mean log loss: how features vary under the softmax."""
    odds, _, totals = _odds(choices, weights)
    odds /= np.repeat(totals, choices.lengths).astype(np.float32)
    likely = odds[:, np.newaxis] * choices.features
    means = np.add.reduceat(likely, choices.starts, axis=0)
    variance: Weights = (choices.features.T @ likely - means.T @ means).astype(np.float64) / len(choices)
    return variance


def fit_weights(choices: Choices, penalty: float, start: Weights) -> Weights:
    """[terms] the weights of the least log loss + penalty · Σ weight².

    It is convex, so `start` [terms] only saves time; by Newton's method, within a region of trust.
    """

    if not len(start):
        return start

    def objective(weights: Weights) -> tuple[float, Weights]:
        loss, slope = log_loss(choices, weights)
        return loss + penalty * float(weights @ weights), slope + 2 * penalty * weights

    def hessian(weights: Weights) -> Weights:
        return curvature(choices, weights) + 2 * penalty * np.eye(len(weights))

    weights: Weights = minimize(objective, start, jac=True, hess=hessian, method="trust-exact").x
    return weights


def _odds(choices: Choices, weights: Weights) -> tuple[FloatArray, FloatArray, Weights]:
    """Of each candidate its odds and its score less the query's highest; the odds' sum [queries]."""
    scores = choices.features @ weights.astype(np.float32)
    scores -= np.repeat(np.maximum.reduceat(scores, choices.starts), choices.lengths)
    odds = np.exp(scores)
    return odds, scores, np.add.reduceat(odds, choices.starts, dtype=np.float64)
