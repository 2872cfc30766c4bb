"""The optimizer: decoupled weight decay, linear warmup and cosine decay."""

import keras
import tensorflow as tf

from components.train_interest_model.hyperparameters import Hyperparameters

OPTIMIZERS = {"adamw": keras.optimizers.AdamW, "lamb": keras.optimizers.Lamb}


def make_optimizer(hyperparameters: Hyperparameters, steps: int) -> keras.optimizers.Optimizer:
    """For `steps` updates in all; biases are not decayed."""
    warmup = max(1, round(hyperparameters.warmup * steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        warmup_target=hyperparameters.learning_rate,
        warmup_steps=warmup,
        decay_steps=max(1, steps - warmup),
        alpha=0.01,
    )
    optimizer = OPTIMIZERS[hyperparameters.optimizer](
        learning_rate=schedule, weight_decay=hyperparameters.weight_decay, beta_2=0.99
    )
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer


def clip(gradients: list[tf.Tensor], norm: float) -> list[tf.Tensor]:
    """Scaled so that together they are no longer than `norm`."""
    clipped: list[tf.Tensor] = tf.clip_by_global_norm(gradients, norm)[0]
    return clipped
