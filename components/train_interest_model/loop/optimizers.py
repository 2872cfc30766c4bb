"""The optimizer: decoupled weight decay, linear warmup and cosine decay."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from components.train_interest_model.hyperparameters import Hyperparameters


class RowwiseAdamW(keras.optimizers.AdamW):  # type: ignore[misc]
    """AdamW that moves of each table in `tables` only the rows that a sparse gradient names, each once.

    Moments and decay of the others rest, so that a step costs what it touches, not the whole catalog
    ("lazy" Adam; a row that is in every step moves as in AdamW).
    """

    def __init__(self, tables: Sequence[keras.Variable], **options: Any) -> None:
        super().__init__(**options)
        self.paths = {table.path for table in tables}
        # Decayed here with the rows; biases are not decayed.
        self.exclude_from_weight_decay(var_list=list(tables), var_names=["bias"])

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        if not isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        place = self._get_variable_index(variable)
        momentum, velocity = self._momentums[place].value, self._velocities[place].value
        rows, slope, rate = gradient.indices, gradient.values, tf.cast(learning_rate, variable.dtype)
        step = tf.cast(self.iterations + 1, variable.dtype)
        m = tf.gather(momentum, rows) * self.beta_1 + slope * (1 - self.beta_1)
        v = tf.gather(velocity, rows) * self.beta_2 + tf.square(slope) * (1 - self.beta_2)
        scale = rate * tf.sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)
        decay = rate * self.weight_decay if len(variable.shape) > 1 else 0.0
        moved = tf.gather(variable, rows) * (1 - decay) - scale * m / (tf.sqrt(v) + self.epsilon)
        for table, values in ((momentum, m), (velocity, v), (variable, moved)):
            table.scatter_update(tf.IndexedSlices(values, rows))


OPTIMIZERS = {"adamw": keras.optimizers.AdamW, "lamb": keras.optimizers.Lamb}


def make_optimizer(
    hyperparameters: Hyperparameters, steps: int, tables: Sequence[keras.Variable] = ()
) -> keras.optimizers.Optimizer:
    """For `steps` updates in all; biases are not decayed.

    Args:
        tables: whose gradients come as rows, for AdamW alone.
    """
    warmup = max(1, round(hyperparameters.warmup * steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        warmup_target=hyperparameters.learning_rate,
        warmup_steps=warmup,
        decay_steps=max(1, steps - warmup),
        alpha=0.01,
    )
    options = {"learning_rate": schedule, "weight_decay": hyperparameters.weight_decay, "beta_2": 0.99}
    if tables:
        return RowwiseAdamW(tables, **options)
    optimizer = OPTIMIZERS[hyperparameters.optimizer](**options)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer


def takes_rows(optimizer: keras.optimizers.Optimizer, variable: keras.Variable) -> bool:
    """Whether the gradient of `variable` may stay a few rows; a whole one suits every optimizer."""
    return isinstance(optimizer, RowwiseAdamW) and variable.path in optimizer.paths


def clip(gradients: list[Any], norm: float) -> list[Any]:
    """Scaled so that together they are no longer than `norm`; of a sparse one each row stands once."""
    clipped: list[Any] = tf.clip_by_global_norm(gradients, norm)[0]
    return clipped
