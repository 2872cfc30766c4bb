"""The blend of the reranker's terms: a conditional logit over each query's candidates.

McFadden 1974, "Conditional logit analysis of qualitative choice behavior"; as a ranking loss it is ListNet's
top-one (Cao et al. 2007). An L2 penalty keeps it steady, as strong as serves best the queries set aside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from components.progress import report
from serving.release import FloatArray
from serving.reranking import TERMS

# More hardly move a dozen weights, and cost time and memory.
MAX_QUERIES: Final = 2_000

PENALTIES: Final = (1e-4, 1e-3, 1e-2, 1e-1)
FOLDS: Final = 2

# A term that varies less than this among candidates says nothing of them.
FLAT: Final = 1e-6


@dataclass(frozen=True)
class Choices:
    """Queries whose target is a candidate, their candidates end to end."""

    features: FloatArray  # [candidates of all queries, terms]
    starts: NDArray[np.int64]  # [queries] where a query's candidates begin
    chosen: NDArray[np.int64]  # [queries] the row of its target

    @classmethod
    def of(cls, features: Sequence[FloatArray], targets: Sequence[int]) -> "Choices":
        lengths = np.array([len(rows) for rows in features], np.int64)
        starts = np.cumsum(lengths) - lengths
        terms = features[0].shape[1] if features else 0
        joined = np.concatenate([np.zeros((0, terms), np.float32), *features]).astype(np.float32, copy=False)
        return cls(joined, starts, starts + np.asarray(targets, np.int64))

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def lengths(self) -> NDArray[np.int64]:
        return np.diff(np.append(self.starts, len(self.features)))

    def part(self, queries: NDArray[np.int64]) -> "Choices":
        ends = self.starts + self.lengths
        rows = [self.features[self.starts[query] : ends[query]] for query in queries]
        return Choices.of(rows, list((self.chosen - self.starts)[queries]))


def fit_blend(features: Sequence[FloatArray], targets: Sequence[int]) -> dict[str, Any]:
    """Weights of TERMS: score = Σ weight · (feature − mean) / scale.

    Args:
        features: a query's candidates each, [candidates, terms] float32 in the order of TERMS.
        targets: the position of the true item among a query's candidates, -1 (teaching nothing) if none is.

    Returns:
        blend.json: terms, weights, means and scales (lists in the order of TERMS), how many queries taught
        it, the penalty, and the log loss of guessing, and of the blend on queries set aside. Without queries
        to learn from each term weighs the same.

    Raises:
        ValueError: features or targets have not the shape above.
    """
    _check(features, targets)
    usable = [query for query, target in enumerate(targets) if target >= 0 and len(features[query]) > 1]
    usable = usable[:: -(-len(usable) // MAX_QUERIES) or 1]
    if len(usable) < FOLDS:
        report(f"blend: {len(usable)} queries to learn from, so each term weighs the same")
        return _document(np.ones(len(TERMS)), np.zeros(len(TERMS)), np.ones(len(TERMS)), queries=0)
    choices = Choices.of([features[query] for query in usable], [targets[query] for query in usable])
    means, scales = (
        choices.features.mean(axis=0, dtype=np.float64),
        choices.features.std(axis=0, dtype=np.float64),
    )
    flat = scales < FLAT
    scales[flat] = 1.0
    choices = Choices(
        ((choices.features - means) / scales).astype(np.float32), choices.starts, choices.chosen
    )
    penalty, held_out = _best_penalty(choices)
    weights = np.where(flat, 0.0, fit_weights(choices, penalty))
    guessing = float(np.log(choices.lengths).mean())
    report(
        f"blend: {len(choices):,} queries, penalty {penalty:g}, log loss {held_out:.3f} on those set aside "
        f"({guessing:.3f} by guessing)"
    )
    return _document(
        weights, means, scales, queries=len(choices), penalty=penalty, log_loss=held_out, guessing=guessing
    )


def fit_weights(choices: Choices, penalty: float) -> NDArray[np.float64]:
    """[terms] the weights of the least mean log loss plus penalty · Σ weight²."""

    def loss_and_slope(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        loss, slope = log_loss(choices, weights)
        return loss + penalty * float(weights @ weights), slope + 2 * penalty * weights

    start = np.zeros(choices.features.shape[1])
    weights: NDArray[np.float64] = minimize(loss_and_slope, start, jac=True, method="L-BFGS-B").x
    return weights


def log_loss(choices: Choices, weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """The mean of −log P(target) under a softmax over each query's candidates, and its slope [terms]."""
    lengths = choices.lengths
    scores = choices.features @ weights.astype(np.float32)
    scores -= np.repeat(np.maximum.reduceat(scores, choices.starts), lengths)
    odds = np.exp(scores)
    totals = np.add.reduceat(odds, choices.starts, dtype=np.float64)
    probabilities = odds / np.repeat(totals, lengths).astype(np.float32)
    loss = float((np.log(totals) - scores[choices.chosen]).mean())
    expected = (probabilities @ choices.features) / len(choices)
    return loss, expected - choices.features[choices.chosen].mean(axis=0, dtype=np.float64)


def _best_penalty(choices: Choices) -> tuple[float, float]:
    """The penalty with the least log loss on folds that its weights were not fitted on, and that loss."""
    queries = np.arange(len(choices))
    folds = [
        (choices.part(queries[queries % FOLDS != fold]), choices.part(queries[queries % FOLDS == fold]))
        for fold in range(FOLDS)
    ]
    losses = {
        penalty: float(np.mean([log_loss(aside, fit_weights(taught, penalty))[0] for taught, aside in folds]))
        for penalty in PENALTIES
    }
    return min(losses.items(), key=lambda entry: entry[1])


def _document(
    weights: NDArray[np.float64], means: NDArray[np.float64], scales: NDArray[np.float64], **about: float
) -> dict[str, Any]:
    calibration = {"weights": weights.tolist(), "means": means.tolist(), "scales": scales.tolist()}
    return {"terms": list(TERMS), **calibration, **about}


def _check(features: Sequence[FloatArray], targets: Sequence[int]) -> None:
    if len(features) != len(targets):
        raise ValueError(f"expected a target a query, got {len(features)} queries and {len(targets)} targets")
    for query, (rows, target) in enumerate(zip(features, targets, strict=True)):
        if rows.ndim != 2 or rows.shape[1] != len(TERMS) or not -1 <= target < len(rows):
            raise ValueError(
                f"query {query}: expected features [candidates, {len(TERMS)}] and a target among them or -1, "
                f"got {list(rows.shape)} and {target}"
            )
