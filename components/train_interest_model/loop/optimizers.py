"""The optimizer: decoupled weight decay, linear warmup and cosine decay."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from components.train_interest_model.hyperparameters import Hyperparameters


class RowwiseAdamW(keras.optimizers.AdamW):  # type: ignore[misc]
    """AdamW that updates only the rows of `tables` that a sparse gradient contains ("lazy" Adam).

    The other rows' moments and weights don't change, so the cost of a step does not depend on the catalog's
    size. A row that is in every step is updated as in AdamW.
    """

    def __init__(self, tables: Sequence[keras.Variable], **options: Any) -> None:
        super().__init__(**options)
        self.paths = {table.path for table in tables}
        # Their decay is part of `update_step`; biases have no weight decay.
        self.exclude_from_weight_decay(var_list=list(tables), var_names=["bias"])

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update the rows of a sparse gradient; Keras calls this for each variable."""
        if not isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        number = self._get_variable_index(variable)
        momentum, velocity = self._momentums[number].value, self._velocities[number].value
        rows, slope, rate = gradient.indices, gradient.values, tf.cast(learning_rate, variable.dtype)
        step = tf.cast(self.iterations + 1, variable.dtype)
        m = tf.gather(momentum, rows) * self.beta_1 + slope * (1 - self.beta_1)
        v = tf.gather(velocity, rows) * self.beta_2 + tf.square(slope) * (1 - self.beta_2)
        scale = rate * tf.sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)
        decay = rate * self.weight_decay if len(variable.shape) > 1 else 0.0
        updated = tf.gather(variable, rows) * (1 - decay) - scale * m / (tf.sqrt(v) + self.epsilon)
        for table, values in ((momentum, m), (velocity, v), (variable, updated)):
            table.scatter_update(tf.IndexedSlices(values, rows))


OPTIMIZERS = {"adamw": keras.optimizers.AdamW, "lamb": keras.optimizers.Lamb}


def make_optimizer(
    hyperparameters: Hyperparameters, steps: int, tables: Sequence[keras.Variable] = ()
) -> keras.optimizers.Optimizer:
    """Create the optimizer for a total of `steps` updates; biases have no weight decay.

    Args:
        tables: variables with sparse gradients, with AdamW only.
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
    """Return whether the optimizer accepts a sparse gradient of `variable`."""
    return isinstance(optimizer, RowwiseAdamW) and variable.path in optimizer.paths


def clip(gradients: list[Any], norm: float) -> list[Any]:
    """Clip the gradients' global norm to `norm`; sparse gradients must not repeat rows."""
    clipped: list[Any] = tf.clip_by_global_norm(gradients, norm)[0]
    return clipped
