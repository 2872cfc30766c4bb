"""How people choose among candidates: a softmax over weighted features, fitted by maximum likelihood.

McFadden 1974, "Conditional logit analysis of qualitative choice behavior"; as a ranking loss it is ListNet's
top-one (Cao et al. 2007, "Learning to rank: from pairwise approach to listwise approach").
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from serving.release import FloatArray

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


def log_loss(choices: Choices, weights: Weights) -> tuple[float, Weights]:
    """The mean of −log P(chosen) under a softmax over each query's candidates, and its slope [terms]."""
    starts, lengths = choices.starts, choices.lengths
    chosen = starts + choices.chosen
    scores = choices.features @ weights.astype(np.float32)
    scores -= np.repeat(np.maximum.reduceat(scores, starts), lengths)
    odds = np.exp(scores)
    totals = np.add.reduceat(odds, starts, dtype=np.float64)
    loss = float((np.log(totals) - scores[chosen]).mean())
    odds /= np.repeat(totals, lengths).astype(np.float32)
    expected = (odds @ choices.features).astype(np.float64) / len(choices)
    slope: Weights = expected - choices.features[chosen].mean(axis=0, dtype=np.float64)
    return loss, slope


def fit_weights(choices: Choices, penalty: float, start: Weights) -> Weights:
    """[terms] the weights of the least log loss + penalty · Σ weight².

    It is convex, so `start` [terms] only saves time.
    """

    def objective(weights: Weights) -> tuple[float, Weights]:
        loss, slope = log_loss(choices, weights)
        return loss + penalty * float(weights @ weights), slope + 2 * penalty * weights

    weights: Weights = minimize(objective, start, jac=True, method="L-BFGS-B").x
    return weights
