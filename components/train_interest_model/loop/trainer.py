"""The training loop, with any tf.distribute strategy, early stopping, checkpoints and resuming."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from components.errors import StepError
from components.metrics.accuracy import hit_rate, ndcg
from components.progress import report
from components.train_interest_model.data.sequences import START, Sequences
from components.train_interest_model.hyperparameters import Hyperparameters
from components.train_interest_model.loop.distribution_strategy import (
    SIGNATURE,
    batches,
    from_chief,
    has_several_workers,
)
from components.train_interest_model.loop.optimizers import clip, make_optimizer, takes_rows
from components.train_interest_model.loop.training_checkpoint import Checkpoint, TrainingState
from components.train_interest_model.loop.validation_metrics import Validation
from components.train_interest_model.network.losses import (
    cold_softmax,
    draw_items,
    draw_negatives,
    full_softmax,
    sampled_softmax,
)
from components.train_interest_model.network.model import InterestModel
from feature_repo.contract import MAX_HISTORY
from feature_repo.counts import counted

NDCG, HIT_RATE = "validation_ndcg_at_10", "validation_hr_at_10"

# Share of the items that a softmax over a part of them has, besides the targets of the step. With twice as
# many, RetailRocket's layout has a validation NDCG@10 of .2671 instead of .2686, seed 7, 8 epochs.
PART: Final = 0.0625

# Called with an epoch's metrics and its number.
OnEpoch = Callable[[dict[str, float], int], None]


@dataclass
class Trainer:
    """Trains `model` in place, with early stopping on the validation NDCG@10."""

    model: InterestModel
    optimizer: keras.optimizers.Optimizer
    strategy: tf.distribute.Strategy
    hyperparameters: Hyperparameters
    counts: np.ndarray[Any, Any]  # [items] targets of the loss, for the sampled softmax

    def __post_init__(self) -> None:
        with self.strategy.scope():
            self.optimizer.build(self.model.trainable_variables)
        share = (self.counts + 1e-9) ** 0.75
        share /= share.sum()
        # float32 is too coarse for a million items.
        self._cumulative = tf.constant(np.cumsum(share), tf.float64)
        self._log_expected = tf.constant(np.log(share * self.hyperparameters.negatives + 1e-20), tf.float32)
        self._step = tf.function(
            self._distributed_step,
            input_signature=None
            if self.strategy.num_replicas_in_sync > 1
            else [SIGNATURE, tf.TensorSpec([], tf.float32), tf.TensorSpec([], tf.int32)],
            autograph=False,  # no Python condition depends on a tensor
            reduce_retracing=True,
        )

    def fit(
        self,
        sequences: Sequences,
        validation: Validation | None,
        checkpoint: Checkpoint,
        on_epoch: OnEpoch,
    ) -> TrainingState:
        """Train until the last epoch or no better NDCG@10 for `patience` epochs; set the best weights.

        Raises:
            StepError: the training diverged: a loss or a weight is not finite.
        """
        state = self._resume(checkpoint)
        self._agree_on_start(state)
        while self._agree_to_go_on(self._is_unfinished(state)):
            metrics = self._epoch(sequences, state)
            self._check_finite(metrics["loss"], state)
            if validation is not None:
                ranks = validation.ranks(self.model)
                metrics[NDCG], metrics[HIT_RATE] = (float(m(ranks, 10).mean()) for m in (ndcg, hit_rate))
            self._keep_best(state, metrics)
            state.history.append(metrics)
            report(_line(state, self.hyperparameters.epochs))
            on_epoch(metrics, state.epoch)
            checkpoint.save(state, self._weights(), [v.numpy() for v in self.optimizer.variables])
        if state.best_weights is not None:
            self._assign(self.model.weights, state.best_weights)
        return state

    def follow(self, sequences: Sequences) -> None:
        """Train with the chief, which calls `fit` in another process, until it ends.

        Args:
            sequences: those of the chief.
        """
        state = TrainingState()
        self._agree_on_start(state)
        while self._agree_to_go_on(False):
            self._epoch(sequences, state)

    def _is_unfinished(self, state: TrainingState) -> bool:
        settings = self.hyperparameters
        return state.epoch < settings.epochs and state.epoch - state.best_epoch < settings.patience

    def _agree_on_start(self, state: TrainingState) -> None:
        """Let all workers have the chief's weights, variables of the optimizer, epoch and step."""
        if has_several_workers(self.strategy):
            variables = [*self.model.weights, *self.optimizer.variables]
            self._assign(variables, from_chief(self.strategy, [variable.value for variable in variables]))
            numbers = from_chief(self.strategy, [tf.constant(state.epoch), tf.constant(state.step)])
            state.epoch, state.step = map(int, numbers)

    def _agree_to_go_on(self, goes_on: bool) -> bool:
        """Return what the chief says."""
        if has_several_workers(self.strategy):
            (answer,) = from_chief(self.strategy, [tf.constant(int(goes_on))])
            return bool(answer)
        return goes_on

    def _epoch(self, sequences: Sequences, state: TrainingState) -> dict[str, float]:
        started, losses, total = time.perf_counter(), [], 0.0
        seed = self.hyperparameters.seed * 10_007 + state.epoch
        for batch, weight in batches(sequences, self.hyperparameters.batch_size, seed, self.strategy):
            losses.append(self._step(batch, tf.constant(weight, tf.float32), tf.constant(state.step)))
            state.step += 1
            total += weight
        loss = float(tf.add_n(losses)) / total
        seconds = time.perf_counter() - started
        state.epoch += 1
        state.seconds += seconds
        return {"loss": loss, "positions_per_second": len(sequences.items) / seconds}

    def _check_finite(self, loss: float, state: TrainingState) -> None:
        weights = [weight.value for weight in self.model.weights if weight.dtype.startswith("float")]
        if np.isfinite(loss) and all(bool(tf.reduce_all(tf.math.is_finite(weight))) for weight in weights):
            return
        rate = self.hyperparameters.learning_rate
        before = f", after {state.history[-1]['loss']:.3f} in the epoch before" if state.history else ""
        raise StepError(
            f"the training diverged in epoch {state.epoch}/{self.hyperparameters.epochs}: loss {loss:.3f}"
            f"{before}, and not all weights are finite numbers; the learning rate is {rate:g}. Train with a "
            f"smaller one: --set learning_rate={rate / 3:.2g}"
        )

    def _distributed_step(self, batch: Any, weight: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        losses = self.strategy.run(self._replica_step, args=(batch, weight, step))
        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)

    def _replica_step(self, batch: dict[str, tf.Tensor], weight: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        context = tf.distribute.get_replica_context()
        replica = tf.cast(context.replica_id_in_sync_group, tf.int32)
        seed = tf.stack([self.hyperparameters.seed * 10_007 + replica, step * 8])
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            loss = self._loss(batch, seed)
            mean = loss / weight
        gradients = [
            gradient if takes_rows(self.optimizer, variable) else tf.convert_to_tensor(gradient)
            for gradient, variable in zip(
                tape.gradient(mean, [variable.value for variable in variables]), variables, strict=True
            )
        ]
        replicas = context.num_replicas_in_sync
        if replicas > 1:
            # Clipping needs the whole gradient; the optimizer then sums over the replicas once more.
            gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        gradients = clip(gradients, self.hyperparameters.clip_norm)
        if replicas > 1:
            gradients = [gradient / replicas for gradient in gradients]
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss

    def _loss(self, batch: dict[str, tf.Tensor], seed: tf.Tensor) -> tf.Tensor:
        """Return the loss summed over all targets; each is predicted from the state before its step."""
        model, sampled = self.model, self.hyperparameters.loss == "sampled"
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
            return self._softmax(interests, vectors, bias, *_targets(batch, later), seed) + cold_softmax(
                bias, *_targets(batch, first)
            )
        cold = tf.gather(model.cold_interests(batch, seed), first[:, 0])
        interests = tf.concat([interests, cold], axis=0)
        targets, weights = _targets(batch, tf.concat([later, first], axis=0))
        if not sampled:
            return self._softmax(interests, vectors, bias, targets, weights, seed)
        expected = tf.gather(self._log_expected, rows)
        return self._mean_over_members(
            lambda own, items: sampled_softmax(own, items, bias, targets, weights, negatives, expected),
            interests,
            vectors,
        )

    def _softmax(
        self,
        interests: tf.Tensor,
        vectors: tf.Tensor,
        bias: tf.Tensor,
        targets: tf.Tensor,
        weights: tf.Tensor,
        seed: tf.Tensor,
    ) -> tf.Tensor:
        """Return the loss against all items, or against those that are drawn for this step."""
        count = _softmax_items(self.hyperparameters, bias.shape[0])
        if count < bias.shape[0]:
            drawn, correction = draw_items(targets, bias, count, seed + tf.constant([0, 6]))
            targets = tf.gather(tf.scatter_nd(drawn[:, None], tf.range(count), bias.shape), targets)
            vectors, bias = tf.gather(vectors, drawn), tf.gather(bias, drawn) + correction
        return self._mean_over_members(
            lambda own, items: full_softmax(own, items, bias, targets, weights), interests, vectors
        )

    def _mean_over_members(
        self, loss: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], interests: tf.Tensor, vectors: tf.Tensor
    ) -> tf.Tensor:
        """Return the mean of each member's loss by its own logits."""
        members = self.model.members
        parts = zip(self.model.by_member(interests * members), self.model.by_member(vectors), strict=True)
        return tf.add_n([loss(own, items) for own, items in parts]) / members

    def _sample(
        self, batch: dict[str, tf.Tensor], seed: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor], tf.Tensor]:
        """Return the distinct items of batch and negatives, and both as indexes into these.

        So a step reads and updates only these rows of a large catalog.
        """
        count, items = self.hyperparameters.negatives, batch["items"]
        drawn = draw_negatives(self._cumulative, count, seed + tf.constant([0, 4]))
        rows, indexes = tf.unique(tf.concat([tf.reshape(items, [-1]), drawn], axis=0))
        return rows, {**batch, "items": tf.reshape(indexes[:-count], tf.shape(items))}, indexes[-count:]

    def _keep_best(self, state: TrainingState, metrics: dict[str, float]) -> None:
        ndcg = metrics.get(NDCG)
        if ndcg is None or ndcg > state.best_ndcg:
            state.best_epoch = state.epoch
            state.best_ndcg = -1.0 if ndcg is None else ndcg
            state.best_weights = None if ndcg is None else self._weights()

    def _resume(self, checkpoint: Checkpoint) -> TrainingState:
        saved = checkpoint.load()
        if saved is None:
            return TrainingState()
        state, weights, optimizer = saved
        self._assign(self.model.weights, weights)
        self._assign(self.optimizer.variables, optimizer)
        report(f"resumed after epoch {state.epoch} from {checkpoint.file}")
        return state

    def _weights(self) -> list[Any]:
        return [variable.numpy() for variable in self.model.weights]

    @staticmethod
    def _assign(variables: list[keras.Variable], values: list[Any]) -> None:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    def uses_cudnn(self) -> bool:
        """Return whether the traced step contains cuDNN's recurrent kernel."""
        functions = self._step._list_all_concrete_functions()
        graphs = [function.graph.as_graph_def() for function in functions]
        nodes = (node.op for graph in graphs for part in graph.library.function for node in part.node_def)
        return any(op.startswith("CudnnRNN") for op in nodes)


def make_trainer(model: InterestModel, strategy: tf.distribute.Strategy, sequences: Sequences) -> Trainer:
    """Make the trainer of a model that was made under `strategy`, and the optimizer for its epochs."""
    settings = model.hyperparameters
    steps = sequences.count_batches(settings.batch_size, settings.seed)
    replicas = strategy.num_replicas_in_sync
    with strategy.scope():
        optimizer = make_optimizer(settings, settings.epochs * steps, _sparse_tables(model, replicas))
    report(
        f"model: {model.count_params():,} weights, {counted(steps, 'step')} per epoch, "
        f"{counted(replicas, 'replica')}"
    )
    counts = np.bincount(sequences.target_items, minlength=model.item_count)
    return Trainer(model, optimizer, strategy, settings, counts)


def _sparse_tables(model: InterestModel, replicas: int) -> list[keras.Variable]:
    """Return the tables with sparse updates; replicas can reduce dense gradients only."""
    settings = model.hyperparameters
    sparse = settings.loss == "sampled" and settings.optimizer == "adamw"
    return model.item_tables if sparse and replicas == 1 else []


def _softmax_items(settings: Hyperparameters, items: int) -> int:
    """Return how many items the softmax of a step has: with a part of them, more than it has targets."""
    if settings.loss == "full":
        return items
    return min(items, max(settings.batch_size, MAX_HISTORY) + int(PART * items))


def _targets(batch: dict[str, tf.Tensor], cells: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the items and the weights [n] of the batch's `cells` [n, 2]."""
    return tf.gather_nd(batch["items"], cells), tf.gather_nd(batch["target_weights"], cells)


def _line(state: TrainingState, epochs: int) -> str:
    metrics = state.history[-1]
    left = state.seconds / state.epoch * (epochs - state.epoch)
    parts = [f"epoch {state.epoch}/{epochs}: loss {metrics['loss']:.3f}"]
    if NDCG in metrics:
        parts.append(f"validation NDCG@10 {metrics[NDCG]:.4f} (best {state.best_ndcg:.4f})")
    parts.append(f"{metrics['positions_per_second']:,.0f} positions/s")
    if state.epoch < epochs:
        parts.append(f"at most {left:.0f} s left")
    return ", ".join(parts)
