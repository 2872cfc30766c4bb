"""The loss of a training step: each target is predicted from the state before its step of the sequence."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.train_interest_model.data.sequences import START
from components.train_interest_model.hyperparameters import Hyperparameters
from components.train_interest_model.network.losses import (
    Seen,
    cold_softmax,
    draw_items,
    draw_negatives,
    full_softmax,
    sampled_softmax,
)
from components.train_interest_model.network.model import InterestModel
from feature_repo.contract import MAX_HISTORY

# Share of the items that a softmax over a part of them has, besides the targets of the step. With twice as
# many, RetailRocket's layout has a validation NDCG@10 of .2671 instead of .2686, seed 7, 8 epochs.
PART: Final = 0.0625

# Item indexes [n], weights [n], and what is no alternative to them.
Targets = tuple[tf.Tensor, tf.Tensor, Seen | None]


class NextStepLoss:
    """The cross-entropy of the model's softmax over all items, over a part of them, or over sampled ones."""

    def __init__(self, model: InterestModel, counts: NDArray[Any]) -> None:
        """`counts`: [items] how often each is a target; the sampled softmax draws by them."""
        self._model, self._settings = model, model.hyperparameters
        share = (counts + 1e-9) ** 0.75
        share /= share.sum()
        # float32 is too coarse for a million items.
        self._cumulative = tf.constant(np.cumsum(share), tf.float64)
        self._log_expected = tf.constant(np.log(share * self._settings.negatives + 1e-20), tf.float32)

    def __call__(self, batch: dict[str, tf.Tensor], seed: tf.Tensor) -> tf.Tensor:
        """Return the loss of a batch, summed over its targets; `seed`: [2] int32 of all random numbers."""
        model, sampled = self._model, self._settings.loss == "sampled"
        rows, negatives = None, None
        if sampled:
            rows, batch, negatives = self._sample(batch, seed)
        vectors, bias = model.item_vectors(seed, rows), model.biases(rows)
        outputs = model(vectors, batch, seed)
        is_target, is_first = batch["target_weights"] > 0, batch["predicted_from"] == START
        later, first = tf.where(is_target & ~is_first), tf.where(is_target & is_first)
        positions = tf.gather_nd(batch["predicted_from"], later)
        states = tf.gather_nd(outputs, tf.stack([tf.cast(later[:, 0], tf.int32), positions], axis=1))
        interests = model.interests(states, seed)
        if not sampled and not model.start_tables:
            # A row's first step is predicted from the user's attributes, or from the bias only.
            items, weights, _ = self._targets(batch, first)
            warm = self._softmax(interests, vectors, bias, self._targets(batch, later), seed)
            return warm + cold_softmax(bias, items, weights)
        cold = tf.gather(model.cold_interests(batch, seed), first[:, 0])
        interests = tf.concat([interests, cold], axis=0)
        targets = self._targets(batch, tf.concat([later, first], axis=0))
        if not sampled:
            return self._softmax(interests, vectors, bias, targets, seed)
        expected = tf.gather(self._log_expected, rows)
        return self._mean_over_members(
            lambda own, items: sampled_softmax(own, items, bias, *targets, negatives, expected),
            interests,
            vectors,
        )

    def _softmax(
        self,
        interests: tf.Tensor,
        vectors: tf.Tensor,
        bias: tf.Tensor,
        targets: Targets,
        seed: tf.Tensor,
    ) -> tf.Tensor:
        """Return the loss against all items, or against those that are drawn for this step."""
        items, weights, seen = targets
        count = _softmax_items(self._settings, bias.shape[0])
        if count < bias.shape[0]:
            drawn, correction = draw_items(items, bias, count, seed + tf.constant([0, 6]))
            places = tf.scatter_nd(drawn[:, None], tf.range(count) + 1, bias.shape) - 1
            items, seen = tf.gather(places, items), seen and seen.among(places)
            vectors, bias = tf.gather(vectors, drawn), tf.gather(bias, drawn) + correction
        return self._mean_over_members(
            lambda own, others: full_softmax(own, others, bias, items, weights, seen), interests, vectors
        )

    def _targets(self, batch: dict[str, tf.Tensor], cells: tf.Tensor) -> Targets:
        """Return the targets in the batch's `cells` [n, 2].

        Where seen items are not recommended again, they need not be alternatives to a target either: a model
        that learns to rank them low spends its weights on what a rule of the recommender does anyway. No
        target is then one of them (`Sequences.without_seen_targets`).
        """
        items, weights = tf.gather_nd(batch["items"], cells), tf.gather_nd(batch["target_weights"], cells)
        if not self._settings.excludes_seen:
            return items, weights, None
        before = tf.gather_nd(batch["predicted_from"], cells)
        return items, weights, Seen(batch["items"], tf.cast(cells[:, 0], tf.int32), before)

    def _mean_over_members(
        self, loss: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], interests: tf.Tensor, vectors: tf.Tensor
    ) -> tf.Tensor:
        """Return the mean of each member's loss by its own logits."""
        members = self._model.members
        parts = zip(self._model.by_member(interests * members), self._model.by_member(vectors), strict=True)
        return tf.add_n([loss(own, items) for own, items in parts]) / members

    def _sample(
        self, batch: dict[str, tf.Tensor], seed: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor], tf.Tensor]:
        """Return the distinct items of batch and negatives, and both as indexes into these.

        So a step reads and updates only these rows of a large catalog.
        """
        count, items = self._settings.negatives, batch["items"]
        drawn = draw_negatives(self._cumulative, count, seed + tf.constant([0, 4]))
        rows, indexes = tf.unique(tf.concat([tf.reshape(items, [-1]), drawn], axis=0))
        return rows, {**batch, "items": tf.reshape(indexes[:-count], tf.shape(items))}, indexes[-count:]


def _softmax_items(settings: Hyperparameters, items: int) -> int:
    """Return how many items the softmax of a step has: with a part of them, more than it has targets."""
    if settings.loss == "full":
        return items
    return min(items, max(settings.batch_size, MAX_HISTORY) + int(PART * items))
