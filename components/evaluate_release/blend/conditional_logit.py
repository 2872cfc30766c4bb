"""The conditional logit model: P(chosen) is a softmax over weighted features, fitted by maximum likelihood.

McFadden 1974, "Conditional logit analysis of qualitative choice behavior". As a ranking loss it is ListNet's
top-one loss (Cao et al. 2007, "Learning to rank: from pairwise approach to listwise approach").
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
    """Queries with one chosen candidate each; the candidates of all queries are concatenated."""

    features: FloatArray  # [candidates of all queries, features]
    lengths: NDArray[np.int64]  # [queries] number of candidates
    chosen: NDArray[np.int64]  # [queries] position among a query's candidates

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def starts(self) -> NDArray[np.int64]:
        """[queries] the row of a query's first candidate."""
        starts: NDArray[np.int64] = np.cumsum(self.lengths) - self.lengths
        return starts

    def with_features(self, columns: NDArray[np.intp]) -> "Choices":
        """Return the same choices with some of the features."""
        return replace(self, features=np.ascontiguousarray(self.features[:, columns]))

    @classmethod
    def sample(cls, features: Sequence[FloatArray], chosen: Sequence[int], max_candidates: int) -> "Choices":
        """Sample about `max_candidates` of each query's candidates [m, features]; the chosen one is kept.

        Sampling that ignores the features leaves the estimates consistent, with a larger variance (McFadden
        1978, "Modelling the choice of residential location").
        """
        parts, positions = [], []
        for rows, target in zip(features, chosen, strict=True):
            sampled = np.arange(0, len(rows), max(1, len(rows) // max_candidates))
            sampled = np.union1d(sampled, [target])
            parts.append(rows[sampled])
            positions.append(int(np.searchsorted(sampled, target)))
        lengths = np.array([len(part) for part in parts], np.int64)
        joined = np.concatenate(parts).astype(np.float32, copy=False)
        return cls(joined, lengths, np.array(positions, np.int64))

    def take(self, queries: NDArray[np.bool_]) -> "Choices":
        """Return the queries where the mask [queries] is true."""
        rows = np.repeat(queries, self.lengths)
        return Choices(self.features[rows], self.lengths[queries], self.chosen[queries])

    def halves(self) -> tuple["Choices", "Choices"]:
        """Return every other query, and the rest."""
        odd = np.arange(len(self)) % 2 == 1
        return self.take(~odd), self.take(odd)


def log_losses(choices: Choices, weights: Weights) -> Weights:
    """Return [queries] −log P(chosen), under a softmax over the query's candidates."""
    scores, totals = _exponentials(choices, weights)[1:]
    losses: Weights = np.log(totals) - scores[choices.starts + choices.chosen]
    return losses


def log_loss(choices: Choices, weights: Weights) -> tuple[float, Weights]:
    """Return the mean of −log P(chosen) over the queries, and its gradient [features]."""
    chosen = choices.starts + choices.chosen
    exponentials, scores, totals = _exponentials(choices, weights)
    loss = float((np.log(totals) - scores[chosen]).mean())
    exponentials /= np.repeat(totals, choices.lengths).astype(np.float32)
    expected = (exponentials @ choices.features).astype(np.float64) / len(choices)
    gradient: Weights = expected - choices.features[chosen].mean(axis=0, dtype=np.float64)
    return loss, gradient


def hessian(choices: Choices, weights: Weights) -> Weights:
    """Return [features, features] the Hessian of the mean log loss: the features' softmax covariance."""
    exponentials, _, totals = _exponentials(choices, weights)
    exponentials /= np.repeat(totals, choices.lengths).astype(np.float32)
    weighted = exponentials[:, np.newaxis] * choices.features
    means = np.add.reduceat(weighted, choices.starts, axis=0)
    covariance: Weights = (choices.features.T @ weighted - means.T @ means).astype(np.float64) / len(choices)
    return covariance


def fit_weights(choices: Choices, penalty: float, start: Weights) -> Weights:
    """Return the weights [features] that minimise log loss + penalty · Σ weight².

    The problem is convex, so `start` [features] changes the time, not the result. Solved by Newton's method
    with a trust region.
    """
    if not len(start):
        return start

    def objective(weights: Weights) -> tuple[float, Weights]:
        loss, gradient = log_loss(choices, weights)
        return loss + penalty * float(weights @ weights), gradient + 2 * penalty * weights

    def penalised_hessian(weights: Weights) -> Weights:
        return hessian(choices, weights) + 2 * penalty * np.eye(len(weights))

    weights: Weights = minimize(objective, start, jac=True, hess=penalised_hessian, method="trust-exact").x
    return weights


def _exponentials(choices: Choices, weights: Weights) -> tuple[FloatArray, FloatArray, Weights]:
    """Return exp(score), score − the query's largest score [candidates], and each query's sum [queries]."""
    scores = choices.features @ weights.astype(np.float32)
    scores -= np.repeat(np.maximum.reduceat(scores, choices.starts), choices.lengths)
    exponentials = np.exp(scores)
    return exponentials, scores, np.add.reduceat(exponentials, choices.starts, dtype=np.float64)
