"""Measures the forecast of interests: is it nearer than the present interest to what users choose later?"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from components.evaluate_release.data.queries import Queries
from components.metrics.accuracy import hit_rate, ndcg, ranks_of, top_items
from components.metrics.bootstrap import difference_interval
from components.progress import report
from components.saved_model import SavedInterestModel
from components.steps_ahead import steps_ahead
from feature_repo.contract import FORECAST_STEPS
from serving.release.arrays import FloatArray

# Of each step; users are drawn beyond it.
MAX_QUERIES: Final = 1_000
# Of a list in which the choice is sought.
K: Final = 10
# Scores computed at once: 32 MB of float32, and as many probabilities.
_MAX_SCORES: Final = 8_000_000


@dataclass(frozen=True)
class ForecastStep:
    """The forecast of one step beside the present interest, on the same queries; all items are ranked."""

    step: int
    queries: int
    users: int
    ndcg_at_10: float
    present_ndcg_at_10: float
    difference: tuple[float, float] | None  # the 95 % interval of their difference; None for few users
    nearer: float  # share of the choices that the forecast ranks higher; equal ranks count half
    expected: float  # mean probability, by the forecast, that the choice is among its first ten
    hr_at_10: float  # share of the choices that are


def measure_forecast(
    model: SavedInterestModel, embeddings: FloatArray, queries: Queries, seed: int
) -> list[ForecastStep]:
    """Measure each step after the first, which is the present interest; a step without queries is left out.

    The choice at step s is the target of the query that the same user has s - 1 steps later.

    Args:
        embeddings: [items, interest size].
    """
    steps = []
    pairs = steps_ahead(queries.users, queries.cutoffs, FORECAST_STEPS - 1)
    for step, (rows, later) in enumerate(pairs, 2):
        usable = (queries.lengths()[rows] > 0) & (queries.targets[later] >= 0)
        rows, later = _draw_users(queries.users, rows[usable], later[usable], seed)
        if len(rows):
            steps.append(_measure_step(model, embeddings, queries, step, rows, later, seed))
            report(_line(steps[-1]))
    if not steps:
        report("the forecast was not measured: no user has two test queries, one after the other")
    return steps


def _draw_users(
    users: NDArray[np.int64], rows: NDArray[np.int64], later: NDArray[np.int64], seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of random users, at most MAX_QUERIES of them, in their order."""
    rank = np.random.default_rng(seed).permutation(int(users.max(initial=0)) + 1)
    drawn = np.sort(np.argsort(rank[users[rows]], kind="stable")[:MAX_QUERIES])
    return rows[drawn], later[drawn]


def _measure_step(
    model: SavedInterestModel,
    embeddings: FloatArray,
    queries: Queries,
    step: int,
    rows: NDArray[np.int64],
    later: NDArray[np.int64],
    seed: int,
) -> ForecastStep:
    mask = np.zeros(len(queries), bool)
    mask[rows] = True
    asked = replace(queries.select(mask), targets=queries.targets[later])
    forecast = model.forecast(asked.histories, asked.attributes)
    now, _ = _ranks(forecast[:, 0], embeddings, asked)
    ahead, expected = _ranks(forecast[:, step - 1], embeddings, asked)
    ours, theirs = ndcg(ahead, K), ndcg(now, K)
    return ForecastStep(
        step=step,
        queries=len(asked),
        users=len(np.unique(asked.users)),
        ndcg_at_10=float(ours.mean()),
        present_ndcg_at_10=float(theirs.mean()),
        difference=difference_interval(ours, theirs, asked.users, seed),
        nearer=float(((ahead < now) + 0.5 * (ahead == now)).mean()),
        expected=float(expected.mean()),
        hr_at_10=float(hit_rate(ahead, K).mean()),
    )


def _ranks(
    interests: FloatArray, embeddings: FloatArray, queries: Queries
) -> tuple[NDArray[np.int32], FloatArray]:
    """Return [queries] the ranks of the targets, and the probability of the first ten items."""
    size = max(1, _MAX_SCORES // len(embeddings))
    excluded = [np.union1d(*pair) for pair in zip(queries.seen, queries.disliked(), strict=True)]
    ranks, expected = [], []
    for start in range(0, len(queries), size):
        part = slice(start, start + size)
        logits = interests[part] @ embeddings.T
        for row, items in zip(logits, excluded[part], strict=True):
            row[items] = -np.inf
        ranks.append(ranks_of(logits, queries.targets[part]))
        best, probabilities = top_items(logits, K), softmax(logits, axis=1)
        of_best = np.take_along_axis(probabilities, np.maximum(best, 0), axis=1)
        expected.append(np.where(best >= 0, of_best, 0).sum(axis=1))
    return np.concatenate(ranks), np.concatenate(expected)


def _line(step: ForecastStep) -> str:
    interval = "" if step.difference is None else f" ({step.difference[0]:+.4f} to {step.difference[1]:+.4f})"
    return (
        f"forecast of step {step.step}, {step.queries:,} queries: NDCG@10 {step.ndcg_at_10:.4f}, "
        f"the present interest {step.present_ndcg_at_10:.4f}{interval}; nearer in {step.nearer:.0%}; "
        f"choices among the first ten: {step.hr_at_10:.1%}, expected {step.expected:.1%}"
    )
