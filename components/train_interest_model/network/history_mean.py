"""Passes an encoder's inputs on: the last one, and the mean of all, in which older ones count less.

An encoder has to learn to remember which items a user chose. With few interactions per item it can't, and
the interest is better with the items' own vectors in it: as in FPMC (Rendle et al. 2010, "Factorizing
Personalized Markov Chains") the last one, as in FISM (Kabbur et al. 2013) the mean of all. With many, it is
better with a matrix for each, which learns what follows an item apart from what the encoder keeps of it.
"""

from typing import Any, Final

import keras
import tensorflow as tf

from components.train_interest_model.network.encoders import Encoder

# In the mean, an input weighs this much of one that is newer by one.
DECAY: Final = 0.85


class WithHistoryMean(Encoder):
    """An encoder whose outputs [units] are those of another one, the mean of the inputs, and the last input.

    Each input is multiplied by a weight from 0 to 1, a logistic function of it: a dislike can count nothing.
    A state has the last output, what the other encoder's state has besides its output, and the sum of the
    weights of the mean.
    """

    def __init__(self, encoder: Encoder, features: int, **options: Any) -> None:
        super().__init__(name="with_history_mean", **options)
        self.encoder, self.features = encoder, features
        self.compiled = encoder.compiled
        self.units = encoder.units + 2 * features
        self.state_size = encoder.state_size + 2 * features + 1

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.encoder.build(shape)
        self.kernel = self.add_weight(shape=(self.features,), initializer="zeros", name="kernel")
        self.bias = self.add_weight(shape=(1,), initializer=keras.initializers.Constant(2.0), name="bias")
        self.built = True

    @property
    def start_size(self) -> int:
        return self.encoder.start_size

    def start(self, values: tf.Tensor) -> tf.Tensor:
        return self._join(self.encoder.start(values), *self._nothing(values))

    def serving_weights(self) -> list[tf.Variable]:
        return [*self.encoder.serving_weights(), self.kernel.value, self.bias.value]

    def call(self, inputs: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        own, mean, total = self._split(state)
        weighted = self._weighted(inputs)
        means, _ = _means(weighted, mean, total)
        return tf.concat([self.encoder(inputs, own), means, weighted], axis=2)

    def advance(self, inputs: tf.Tensor, state: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        own, mean, total = self._split(state)
        weighted = self._weighted(inputs)
        means, totals = _means(weighted, mean, total)
        outputs, own = self.encoder.advance(inputs, own, lengths)
        last = tf.maximum(lengths - 1, 0)
        ends = (tf.gather(part, last, batch_dims=1) for part in (means, weighted, totals))
        after = tf.where(lengths[:, None] > 0, self._join(own, *ends), state)
        return tf.concat([outputs, means, weighted], axis=2), after

    def _weighted(self, inputs: tf.Tensor) -> tf.Tensor:
        kernel, bias = (tf.cast(weight.value, inputs.dtype) for weight in (self.kernel, self.bias))
        return inputs * tf.sigmoid(tf.reduce_sum(inputs * kernel, axis=2, keepdims=True) + bias)

    def _split(self, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return the other encoder's state, the mean, and the sum of its weights [batch, 1]."""
        sizes = [self.encoder.units, self.features, self.features, self.state_size - self.units - 1, 1]
        output, mean, _, rest, total = tf.split(state, sizes, axis=1)
        return tf.concat([output, rest], axis=1), mean, total

    def _join(self, own: tf.Tensor, mean: tf.Tensor, last: tf.Tensor, total: tf.Tensor) -> tf.Tensor:
        output, rest = own[:, : self.encoder.units], own[:, self.encoder.units :]
        return tf.concat([output, mean, last, rest, total], axis=1)

    def _nothing(self, values: tf.Tensor) -> list[tf.Tensor]:
        rows = tf.shape(values)[0]
        return [tf.zeros([rows, size], values.dtype) for size in (self.features, self.features, 1)]


def _means(inputs: tf.Tensor, mean: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the mean [batch, length, features] after each input, and the sum of its weights [.., 1].

    Args:
        mean, total: those of what comes before; zeros at the start.
    """
    length = tf.shape(inputs)[1]
    ages = tf.range(length)[:, None] - tf.range(length)[None]
    decays = tf.where(ages >= 0, DECAY ** tf.cast(ages, inputs.dtype), 0)
    before = total[:, None] * (decays[:, :1] * tf.cast(DECAY, inputs.dtype))
    totals = before + tf.reduce_sum(decays, axis=1)[:, None]
    return (before * mean[:, None] + tf.einsum("tl,blf->btf", decays, inputs)) / totals, totals
