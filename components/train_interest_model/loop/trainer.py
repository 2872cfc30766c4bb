"""The training loop, with any tf.distribute strategy, early stopping, checkpoints and resuming."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.errors import StepError
from components.metrics.accuracy import hit_rate, ndcg
from components.progress import report
from components.train_interest_model.data.sequences import Sequences
from components.train_interest_model.hyperparameters import Hyperparameters
from components.train_interest_model.loop.distribution_strategy import (
    SIGNATURE,
    batches,
    from_chief,
    has_several_workers,
)
from components.train_interest_model.loop.next_step_loss import NextStepLoss
from components.train_interest_model.loop.optimizers import clip, make_optimizer, takes_rows
from components.train_interest_model.loop.training_checkpoint import Checkpoint, TrainingState
from components.train_interest_model.loop.validation_metrics import Validation
from components.train_interest_model.network.model import InterestModel
from feature_repo.counts import counted

NDCG, HIT_RATE = "validation_ndcg_at_10", "validation_hr_at_10"

# Called with an epoch's metrics and its number.
OnEpoch = Callable[[dict[str, float], int], None]


@dataclass
class Trainer:
    """Trains `model` in place, with early stopping on the validation NDCG@10."""

    model: InterestModel
    optimizer: keras.optimizers.Optimizer
    strategy: tf.distribute.Strategy
    hyperparameters: Hyperparameters
    loss: NextStepLoss

    def __post_init__(self) -> None:
        with self.strategy.scope():
            self.optimizer.build(self.model.trainable_variables)
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

        The weights that a warm start begins with are among them.

        Raises:
            StepError: the training diverged: a loss or a weight is not finite.
        """
        state = self._resume(checkpoint)
        if validation is not None and self.hyperparameters.warm_start and not state.epoch:
            state.start = self._validate(validation)
            self._keep_best(state, state.start)
            report(f"start: validation NDCG@10 {state.best_ndcg:.4f}")
            on_epoch(state.start, 0)
        self._agree_on_start(state)
        while self._agree_to_go_on(self._is_unfinished(state)):
            metrics = self._epoch(sequences, state)
            self._check_finite(metrics["loss"], state)
            if validation is not None:
                metrics |= self._validate(validation)
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
        started, losses, total, positions = time.perf_counter(), [], 0.0, 0
        seed = self.hyperparameters.seed * 10_007 + state.epoch
        for batch, weight, count in batches(sequences, self.hyperparameters.batch_size, seed, self.strategy):
            losses.append(self._step(batch, tf.constant(weight, tf.float32), tf.constant(state.step)))
            state.step += 1
            total += weight
            positions += count
        loss = float(tf.add_n(losses)) / total
        seconds = time.perf_counter() - started
        state.epoch += 1
        state.seconds += seconds
        return {"loss": loss, "positions_per_second": positions / seconds}

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
            loss = self.loss(batch, seed)
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

    def _validate(self, validation: Validation) -> dict[str, float]:
        ranks = validation.ranks(self.model)
        return {NDCG: float(ndcg(ranks, 10).mean()), HIT_RATE: float(hit_rate(ranks, 10).mean())}

    def _keep_best(self, state: TrainingState, metrics: dict[str, float]) -> None:
        value = metrics.get(NDCG)
        if value is None or value > state.best_ndcg:
            state.best_epoch = state.epoch
            state.best_ndcg = -1.0 if value is None else value
            state.best_weights = None if value is None else self._weights()

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
    return Trainer(model, optimizer, strategy, settings, NextStepLoss(model, counts))


def _sparse_tables(model: InterestModel, replicas: int) -> list[keras.Variable]:
    """Return the tables with sparse updates; replicas can reduce dense gradients only."""
    settings = model.hyperparameters
    sparse = settings.loss == "sampled" and settings.optimizer == "adamw"
    return model.item_tables if sparse and replicas == 1 else []


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
