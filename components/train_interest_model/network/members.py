"""Networks side by side in one model: each has its own numbers of a vector, and a loss of its own.

An ensemble whose members are one vector: the products of concatenated vectors are the sums of the members'
logits, so that the mean of K networks is stored, searched and served as one network is. Their errors differ,
and partly cancel (Lakshminarayanan et al. 2017, "Simple and scalable predictive uncertainty estimation using
deep ensembles"). The members share the items' biases and the weights that `WithHistoryMean` gives to a
user's items: those are learned by all together.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from components.train_interest_model.network.encoders import Encoder


class Members(Encoder):
    """Encoders of which each reads its part of the inputs' numbers; outputs [units of all].

    A state has the outputs of all, then what each one's state has besides.
    """

    def __init__(self, encoders: Sequence[Encoder], features: int, **options: Any) -> None:
        """`features`: numbers of an input for each of the `encoders`, which have equal sizes."""
        super().__init__(**options)
        self.encoders, self.features = list(encoders), features
        self.compiled = self.encoders[0].compiled
        self.units = sum(encoder.units for encoder in self.encoders)
        self.state_size = sum(encoder.state_size for encoder in self.encoders)

    def build(self, shape: tuple[int | None, ...]) -> None:
        for encoder in self.encoders:
            encoder.build((*shape[:-1], self.features))
        self.built = True

    def serving_weights(self) -> list[tf.Variable]:
        return [weight for encoder in self.encoders for weight in encoder.serving_weights()]

    def call(self, inputs: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        parts = zip(self.encoders, self._inputs(inputs), self._split(state), strict=True)
        return tf.concat([encoder(part, own) for encoder, part, own in parts], axis=2)

    def advance(self, inputs: tf.Tensor, state: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        parts = zip(self.encoders, self._inputs(inputs), self._split(state), strict=True)
        results = [encoder.advance(part, own, lengths) for encoder, part, own in parts]
        outputs, states = zip(*results, strict=True)
        units = self.encoders[0].units
        last, rest = ([own[:, part] for own in states] for part in (slice(units), slice(units, None)))
        return tf.concat(outputs, axis=2), tf.concat([*last, *rest], axis=1)

    def _inputs(self, inputs: tf.Tensor) -> list[tf.Tensor]:
        parts: list[tf.Tensor] = tf.split(inputs, len(self.encoders), axis=2)
        return parts

    def _split(self, state: tf.Tensor) -> list[tf.Tensor]:
        """Return each encoder's state."""
        last, rest = state[:, : self.units], state[:, self.units :]
        count = len(self.encoders)
        pairs = zip(tf.split(last, count, axis=1), tf.split(rest, count, axis=1), strict=True)
        return [tf.concat(pair, axis=1) for pair in pairs]
