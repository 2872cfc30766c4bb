"""The interest model: maps a history to a vector whose products with the item vectors rank the items."""

from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.train_interest_model.hyperparameters import Hyperparameters
from components.train_interest_model.network.encoders import Encoder, make_encoder
from components.train_interest_model.network.forecast import Forecast
from components.train_interest_model.network.history_mean import WithHistoryMean
from components.train_interest_model.network.losses import EXCLUDED
from components.train_interest_model.network.members import Members

# From this size on, XLA saves more time than it needs to compile the LSTM: four seconds per batch shape.
COMPILED_UNITS: Final = 256

# Optional inputs: name of the code -> hyperparameter that switches it on.
SIDE_INPUTS: Final = {
    "event": "use_event_types",
    "value": "use_values",
    "gap": "use_time_gaps",
    "position": "use_positions",
}


class InterestModel(keras.layers.Layer):  # type: ignore[misc]
    """Tied item embeddings that include the items' content, an encoder, and a bias per item.

    An item's vector is an embedding learned from interactions plus a projection of its content. The embedding
    is zero for an item that is not in the training data. The encoder's initial state is computed from the
    user's attributes, or zero. Each of the members has `embedding_size` numbers of every vector.
    """

    def __init__(
        self,
        hyperparameters: Hyperparameters,
        item_count: int,
        sizes: dict[str, int],
        content: NDArray[np.float32],
        **options: Any,
    ) -> None:
        """`sizes`: rows of each optional input's table; `content`: [items, content size]."""
        policy = "mixed_bfloat16" if hyperparameters.mixed_precision else "float32"
        super().__init__(dtype=policy, name="interest_model", **options)
        self.hyperparameters = hyperparameters
        self.compiled = hyperparameters.xla and hyperparameters.units >= COMPILED_UNITS
        self.item_count = item_count
        self.members = hyperparameters.members
        size = self.members * hyperparameters.embedding_size
        deviation = hyperparameters.embedding_size**-0.5
        normal = keras.initializers.RandomNormal(stddev=deviation, seed=hyperparameters.seed)
        self.item_embeddings = self._table("item_embeddings", item_count, size, normal)
        self.item_bias = self.add_weight(shape=(item_count,), initializer="zeros", name="item_bias")
        self.content = self._table("content", item_count, content.shape[1], "zeros", trainable=False)
        self.content.assign(content)
        self.content_kernel = self._table("content_kernel", content.shape[1], size, "glorot_uniform")
        self.trained = self._table("trained", item_count, 1, "ones", trainable=False)
        small = keras.initializers.RandomNormal(stddev=0.1 * deviation, seed=hyperparameters.seed + 1)
        self.side_tables = {
            name: self._table(f"{name}_embeddings", sizes[name], size, small)
            for name, switch in SIDE_INPUTS.items()
            if getattr(hyperparameters, switch)
        }
        encoder = self._make_encoder(policy)
        self.history = hyperparameters.history_mean
        self.history_weights: list[keras.Variable] = []
        if self.history != "off":
            encoder = WithHistoryMean(encoder, size, dtype=policy)
            self.history_weights = [self._make_history_weights(size)]
        self.encoder = encoder
        self.encoder.build((None, None, size))
        self.start_tables = []
        if hyperparameters.use_user_attributes:
            self.start_tables = [
                self._table("attribute_embeddings", sizes["attribute"], size, small),
                self._table("start_kernel", size, self.encoder.start_size, "glorot_uniform"),
            ]
        self.projections = [
            keras.layers.Dense(hyperparameters.embedding_size, name=name, dtype=policy)
            for name in self._names("projection")
        ]
        for projection in self.projections:
            projection.build((None, hyperparameters.units))
        self.forecast = Forecast()
        self.built = True

    def _make_encoder(self, policy: str) -> Encoder:
        settings = self.hyperparameters
        encoders = [
            make_encoder(
                settings.encoder,
                settings.units,
                settings.layers,
                on_cpu=not settings.mixed_precision and not tf.config.list_physical_devices("GPU"),
                compiled=self.compiled,
                name=name,
                dtype=policy,
            )
            for name in self._names("encoder")
        ]
        if self.members == 1:
            return encoders[0]
        return Members(encoders, settings.embedding_size, name="members", dtype=policy)

    def _make_history_weights(self, size: int) -> keras.Variable:
        """Return what multiplies the mean of the user's items, and the last one: a half at the start.

        On: a weight for each number of a vector. Projected: a matrix for each member's part of it.
        """
        if self.history == "on":
            return self._table("history_shares", 2, size, keras.initializers.Constant(0.5))
        own = self.hyperparameters.embedding_size
        halves = np.broadcast_to(0.5 * np.eye(own, dtype=np.float32), (2, self.members, own, own))
        kernels = self.add_weight(shape=halves.shape, name="history_kernels", dtype="float32")
        kernels.assign(halves)
        return kernels

    def _names(self, name: str) -> list[str]:
        """Return a name for each member."""
        return [name] if self.members == 1 else [f"{name}_{member}" for member in range(self.members)]

    def start_from(self, factors: NDArray[np.float32]) -> None:
        """Start each member's item embeddings as random numbers plus factors [items, embedding_size].

        Both have the deviation of a random start, divided by √2. Factors alone are a bit better where items
        have groups, and worse where their order alone tells what follows. A row of zeros stays random.
        """
        random, is_near = self.item_embeddings.numpy(), factors.any(axis=1, keepdims=True)
        if not is_near.any():
            return
        scale = random.std() / np.sqrt(np.mean(np.square(factors), where=is_near))
        start = np.sqrt(0.5) * (random + np.tile(scale * factors, self.members))
        self.item_embeddings.assign(np.where(is_near, start, random))

    def item_vectors(self, seed: tf.Tensor | None = None, rows: tf.Tensor | None = None) -> tf.Tensor:
        """Return [items, size] float32, of all items or of `rows` [n] int32.

        With a `seed`, the embeddings of random items are dropped (item dropout).
        """
        own = _rows(self.item_embeddings, rows) * _rows(self.trained, rows)
        if seed is not None and self.content.shape[1]:
            rate = self.hyperparameters.item_dropout
            kept = tf.random.stateless_uniform([tf.shape(own)[0], 1], seed) >= rate
            own = own * tf.cast(kept, own.dtype)
        return own + tf.matmul(_rows(self.content, rows), self.content_kernel.value)

    def biases(self, rows: tf.Tensor | None = None) -> tf.Tensor:
        """Return [items] float32 biases for training, of all items or of `rows` [n] int32.

        Items that are not in the training data are excluded, so that they are never negatives.
        """
        return _rows(self.item_bias, rows) + EXCLUDED * (1 - _rows(self.trained, rows)[:, 0])

    def inputs(self, vectors: tf.Tensor, codes: dict[str, tf.Tensor]) -> tf.Tensor:
        """Map [batch, length] item indexes and codes to embeddings [batch, length, size]."""
        return self.with_side_inputs(tf.gather(vectors, codes["items"]), codes)

    def with_side_inputs(self, embedded: tf.Tensor, codes: dict[str, tf.Tensor]) -> tf.Tensor:
        """Add the embeddings of the optional inputs to item embeddings [batch, length, size]."""
        for name, table in self.side_tables.items():
            embedded += tf.gather(table.value, codes[f"{name}s"])
        return embedded

    def call(
        self, vectors: tf.Tensor, codes: dict[str, tf.Tensor], seed: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Return the encoder's outputs [batch, length, units]; with a `seed`, dropout is applied."""
        embedded = tf.cast(self._dropout(self.inputs(vectors, codes), seed, 1), self.compute_dtype)
        start = self.initial_states(codes["attributes"])
        if seed is not None and self.start_tables:
            rate = self.hyperparameters.attribute_dropout
            kept = tf.random.stateless_uniform([tf.shape(start)[0], 1], seed + tf.constant([0, 5])) >= rate
            start *= tf.cast(kept, start.dtype)
        return self.encoder(embedded, tf.cast(start, self.compute_dtype))

    def initial_states(self, attributes: tf.Tensor) -> tf.Tensor:
        """Map codes [batch, attributes] to initial states [batch, state size], zeros without attributes."""
        if not self.start_tables:
            return self.encoder.start(tf.zeros([tf.shape(attributes)[0], self.encoder.start_size]))
        embeddings, kernel = self.start_tables
        mask = tf.cast(attributes > 0, tf.float32)[:, :, None]
        total = tf.reduce_sum(tf.gather(embeddings.value, attributes) * mask, axis=1)
        mean = total / tf.maximum(tf.reduce_sum(mask, axis=1), 1.0)
        return self.encoder.start(tf.tanh(tf.matmul(mean, kernel.value)))

    def cold_interests(self, codes: dict[str, tf.Tensor], seed: tf.Tensor | None = None) -> tf.Tensor:
        """Return [batch, size] interests before the first interaction; zeros for users without attributes."""
        attributes = codes["attributes"]
        if not self.start_tables:
            return tf.zeros([tf.shape(attributes)[0], self.item_embeddings.shape[1]])
        has_attributes = tf.cast(tf.reduce_any(attributes > 0, axis=1), tf.float32)[:, None]
        return self.interests(self.initial_states(attributes)[:, : self.encoder.units], seed) * has_attributes

    def interests(self, outputs: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Map encoder outputs [..., units] to interests [..., size]; without a `seed` the map is affine."""
        size, units = self.item_embeddings.shape[1], self.members * self.hyperparameters.units
        parts = tf.split(outputs, [units, *[size] * (2 * len(self.history_weights))], axis=-1)
        own = self.by_member(self._dropout(parts[0], seed, 2))
        projected = [projection(part) for projection, part in zip(self.projections, own, strict=True)]
        interests = tf.cast(tf.concat(projected, axis=-1), tf.float32)
        for weights in self.history_weights:
            for weight, part in zip(tf.unstack(weights.value), parts[1:], strict=True):
                interests += self._weighted(tf.cast(part, tf.float32), weight)
        return interests / self.members  # so that the logits are the mean of the members'

    def _weighted(self, part: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        if self.history == "on":
            return part * weight
        return tf.concat(
            [
                tf.matmul(own, kernel)
                for own, kernel in zip(self.by_member(part), tf.unstack(weight), strict=True)
            ],
            axis=-1,
        )

    def by_member(self, vectors: tf.Tensor) -> list[tf.Tensor]:
        """Split [..., numbers of all members] into each member's."""
        parts: list[tf.Tensor] = tf.split(vectors, self.members, axis=-1)
        return parts

    def last_interests(self, vectors: tf.Tensor, codes: dict[str, tf.Tensor]) -> tf.Tensor:
        """Return [batch, size + 1] interests after the last interaction; the last column is 1.

        A user without interactions gets `cold_interests`.
        """
        lengths = codes["lengths"]
        return self.interests_after(vectors, codes, tf.range(tf.shape(lengths)[0]), lengths)

    def interests_after(
        self, vectors: tf.Tensor, codes: dict[str, tf.Tensor], rows: tf.Tensor, lengths: tf.Tensor
    ) -> tf.Tensor:
        """Return what `last_interests` returns after the first `lengths` [n] interactions of `rows` [n]."""
        ends = tf.stack([rows, tf.maximum(lengths - 1, 0)], axis=1)
        last, cold = tf.gather_nd(self(vectors, codes), ends), tf.gather(self.cold_interests(codes), rows)
        interests = tf.where(lengths[:, None] > 0, self.interests(last), cold)
        return tf.concat([interests, tf.ones_like(interests[:, :1])], axis=1)

    def scoring_vectors(self) -> tf.Tensor:
        """Return [items, size + 1] float32: vectors and biases, for interests with a constant 1."""
        return tf.concat([self.item_vectors(), self.item_bias.value[:, None]], axis=1)

    def _dropout(self, x: tf.Tensor, seed: tf.Tensor | None, layer: int) -> tf.Tensor:
        """Apply dropout, seeded by the step, so that a resumed training equals an uninterrupted one."""
        rate = self.hyperparameters.dropout
        if seed is None or not rate:
            return x
        return tf.nn.experimental.stateless_dropout(x, rate, seed=seed + tf.constant([0, layer]))

    @property
    def item_tables(self) -> list[keras.Variable]:
        """The trainable tables with one row per item."""
        return [self.item_embeddings, self.item_bias]

    def _table(
        self, name: str, rows: int, columns: int, initializer: Any, trainable: bool = True
    ) -> keras.Variable:
        return self.add_weight(
            shape=(rows, columns), initializer=initializer, trainable=trainable, name=name, dtype="float32"
        )


def _rows(table: keras.Variable, rows: tf.Tensor | None) -> tf.Tensor:
    return table.value if rows is None else tf.gather(table.value, rows)
