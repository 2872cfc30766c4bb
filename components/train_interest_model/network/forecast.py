"""Forecasts a user's interests: from the present interest they return to the user's mean interest."""

from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from feature_repo.contract import FORECAST_STEPS

# In the mean, an interest weighs half as much as one that is this many interactions newer.
HALF_LIFE: Final = 16
DECAY: Final = 0.5 ** (1 / HALF_LIFE)


class Forecast(keras.layers.Layer):  # type: ignore[misc]
    """Interest at step s = scale_s · (mean + persistence_s · (present interest - mean)).

    So do the forecasts of an autoregressive process (Box & Jenkins 1970, "Time Series Analysis", chapter 5).
    The first step is the present interest. The coefficients are 1, so that all steps are equal, until
    `loop.forecast_fit` fits them; the loss does not train them.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(trainable=False, dtype="float32", name="forecast", **options)
        shape = (FORECAST_STEPS,)
        self.persistence = self.add_weight(shape=shape, initializer="ones", name="forecast_persistence")
        self.scale = self.add_weight(shape=shape, initializer="ones", name="forecast_scale")
        self.built = True

    def call(self, present: tf.Tensor, mean: tf.Tensor) -> tf.Tensor:
        """Map present and mean interests, each [n, size], to the forecast [n, FORECAST_STEPS, size]."""
        change = self.persistence.value[:, None] * (present - mean)[:, None]
        return self.scale.value[:, None] * (mean[:, None] + change)


def weighted_sums(interests: tf.Tensor, lengths: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
    """Return the sums [batch, size] of the first `lengths` interests of each row, weighted by DECAY ** age.

    Args:
        interests: [batch, length, size] float32.
        lengths: [batch] int32.
        before: [batch, size], the sums of what comes before; zeros at the start.
    """
    ages = tf.cast(lengths[:, None] - 1 - tf.range(tf.shape(interests)[1]), tf.float32)
    weights = tf.where(ages >= 0, DECAY**ages, 0.0)
    decayed = before * DECAY ** tf.cast(lengths, tf.float32)[:, None]
    return decayed + tf.einsum("bl,bls->bs", weights, interests)


def mean_interest(sums: tf.Tensor, count: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
    """Return the mean interest [batch, size] of `count` [batch, 1] interactions; `last` if there are none."""
    total = (1 - DECAY**count) / np.float32(1 - DECAY)
    return tf.where(count > 0, tf.math.divide_no_nan(sums, total), last)
