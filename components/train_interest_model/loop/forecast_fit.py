"""Fits the coefficients of the forecast to the interactions held out for validation."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from components.progress import report
from components.steps_ahead import steps_ahead
from components.train_interest_model.data.sequences import Sequences
from components.train_interest_model.loop.distribution_strategy import SIGNATURE
from components.train_interest_model.loop.validation_metrics import Validation
from components.train_interest_model.network.forecast import mean_interest, weighted_sums
from components.train_interest_model.network.model import InterestModel
from feature_repo.contract import FORECAST_STEPS

FloatArray = NDArray[np.float32]

# Fewer queries say too little about two numbers.
MIN_QUERIES: Final = 50
# Of a larger catalog, as many items are drawn, and the target: the scores of 2,048 queries take 33 MB each.
MAX_ITEMS: Final = 4_096
_EXCLUDED: Final = np.float32(-1e9)
_BOUNDS: Final = [(0.0, 1.0), (0.1, 2.0)]


def fit_forecast(model: InterestModel, validation: Validation) -> None:
    """Set the persistence and the scale of each step but the first: the most likely ones.

    What a user chose s steps ahead is the target of a later query of the same user. Without enough of them,
    a step repeats the step before; by leave-one-out there are none, and each step is the present interest.
    """
    present, mean = _interests(model, validation.queries)
    scoring = model.scoring_vectors().numpy()
    random = np.random.default_rng(model.hyperparameters.seed)
    coefficients = np.ones((FORECAST_STEPS, 2))
    counts = []
    for step, (rows, targets) in enumerate(targets_ahead(validation.queries), 1):
        coefficients[step] = coefficients[step - 1]
        counts.append(len(rows))
        if len(rows) >= MIN_QUERIES:
            seen = [validation.seen_items(row) for row in rows]
            likelihood = Likelihood.of(present[rows], mean[rows], targets, seen, scoring, random)
            coefficients[step] = likelihood.best()
    model.forecast.persistence.assign(coefficients[:, 0])
    model.forecast.scale.assign(coefficients[:, 1])
    fitted = ", ".join(f"{persistence:.2f} × {scale:.2f}" for persistence, scale in coefficients)
    queries = ", ".join(f"{count:,}" for count in counts)
    report(f"forecast: persistence × scale of each step {fitted}, by {queries} validation queries")


def _interests(
    model: InterestModel, queries: Sequences, batch_size: int = 128
) -> tuple[FloatArray, FloatArray]:
    """Return the present and the mean interest of each query, each [queries, size]."""
    vectors, size = model.item_vectors(), model.item_embeddings.shape[1]
    _present_and_mean.get_concrete_function(model, vectors, SIGNATURE)  # traced once, for all shapes
    present, mean = (np.zeros((len(queries), size), np.float32) for _ in range(2))
    order = np.argsort(queries.lengths, kind="stable")
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        codes = queries.pad(rows, max(1, int(queries.lengths[rows].max())))
        now, usual = _present_and_mean(
            model, vectors, {name: tf.constant(part) for name, part in codes.items()}
        )
        present[rows], mean[rows] = now.numpy(), usual.numpy()
    return present, mean


@tf.function(autograph=False, reduce_retracing=True)  # type: ignore[untyped-decorator]
def _present_and_mean(
    model: InterestModel, vectors: tf.Tensor, codes: dict[str, tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor]:
    interests, lengths = model.interests(model(vectors, codes)), codes["lengths"]
    last = tf.gather(interests, tf.maximum(lengths - 1, 0), batch_dims=1)
    sums = weighted_sums(interests, lengths, tf.zeros_like(last))
    return last, mean_interest(sums, tf.cast(lengths[:, None], tf.float32), last)


def targets_ahead(queries: Sequences) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int32]]]:
    """Yield for each step but the first the rows of queries, and what their users chose at that step."""
    for rows, later in steps_ahead(queries.users, queries.cutoffs, FORECAST_STEPS - 1):
        usable = (queries.lengths[rows] > 0) & (queries.targets[later] >= 0)
        yield rows[usable], queries.targets[later[usable]]


class Likelihood:
    """The mean log-likelihood of targets, by the softmax over all items of interest · item."""

    def __init__(
        self, present: FloatArray, mean: FloatArray, bias: FloatArray, targets: NDArray[np.int64]
    ) -> None:
        """`present`, `mean`: products with the items [queries, items]; `bias`: [queries, items]."""
        self._mean, self._difference, self._bias = mean, present - mean, bias
        self._chosen = np.arange(len(targets)), targets

    @classmethod
    def of(
        cls,
        present: FloatArray,
        mean: FloatArray,
        targets: NDArray[np.int32],
        seen: list[NDArray[np.int32]],
        scoring: FloatArray,
        random: np.random.Generator,
    ) -> "Likelihood":
        """Take interests [queries, size], and for each query the items that are no choice."""
        items = np.arange(len(scoring))
        if len(items) > MAX_ITEMS:
            items = np.union1d(random.choice(items, MAX_ITEMS, replace=False), targets)
        bias = np.repeat(scoring[None, items, -1], len(targets), axis=0)
        columns = np.searchsorted(items, targets)
        for row, others in enumerate(seen):
            bias[row, np.isin(items, others)] = _EXCLUDED
        bias[np.arange(len(targets)), columns] = scoring[targets, -1]
        vectors = scoring[items, :-1].T
        return cls(present @ vectors, mean @ vectors, bias, columns)

    def best(self) -> NDArray[np.float64]:
        """Return persistence and scale with the highest likelihood."""
        found = minimize(self._negative, np.array([1.0, 1.0]), jac=True, method="L-BFGS-B", bounds=_BOUNDS)
        best: NDArray[np.float64] = found.x
        return best

    def _negative(self, coefficients: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        persistence, scale = coefficients
        products = self._mean + np.float32(persistence) * self._difference
        logits = np.float32(scale) * products + self._bias
        share = softmax(logits, axis=1)
        loss = logsumexp(logits, axis=1) - logits[self._chosen]
        gradient = [
            (np.vecdot(share, derivative) - derivative[self._chosen]).mean()
            for derivative in (np.float32(scale) * self._difference, products)
        ]
        return float(loss.mean()), np.array(gradient, np.float64)
