"""The interest model for TensorFlow Serving: its inputs are raw ids."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np
import tensorflow as tf

from components.train_interest_model.data.vocabulary import (
    GAP_EDGES,
    POSITION_EDGES,
    SKIPPED,
    UNKNOWN,
    Vocabulary,
)
from components.train_interest_model.network.forecast import mean_interest, weighted_sums
from components.train_interest_model.network.model import InterestModel
from feature_repo.contract import ATTRIBUTE_INPUTS, FORECAST, PAD, SEQUENCE_INPUTS

# Number of items that `top_items` returns; fewer in a smaller catalog.
TOP_ITEMS: Final = 100

SEQUENCES: Final = {name: tf.TensorSpec([None, None], dtype, name) for name, dtype in SEQUENCE_INPUTS.items()}
ATTRIBUTES: Final = {
    name: tf.TensorSpec([None, None], dtype, name) for name, dtype in ATTRIBUTE_INPUTS.items()
}

Tensors = dict[str, tf.Tensor]


class ServingModule(tf.Module):  # type: ignore[misc]
    """Holds raw variables only: TensorFlow Serving's loader fails on a tf.Module with a Keras 3 layer.

    The item vectors include content and bias: [items, size + 1]. A user's state [state size] is
    the encoder's state, the weighted sums of the interests, and the number of interactions. The forecast
    [batch, steps, size + 1] starts with the interest.
    """

    def __init__(self, model: InterestModel, vocabulary: Vocabulary, filter_seen: bool) -> None:
        super().__init__(name="interest")
        # A function, so that tf.Module doesn't track the model.
        self._model: Callable[[], InterestModel] = lambda: model
        self._filter_seen = filter_seen
        self.scoring = tf.Variable(model.scoring_vectors(), name="item_embeddings", trainable=False)
        self.weights = [*model.encoder.serving_weights(), *self._other_weights()]
        self.item_index = _index(vocabulary.item_ids, 0, -1)
        self.event_code = _event_codes(vocabulary)
        self.item_ids = tf.constant(vocabulary.item_ids, tf.string)
        self.read_table = tf.constant(vocabulary.read_table)
        self.value_edges = tf.constant(vocabulary.value_edges, tf.float32)
        self.attribute_code = AttributeCodes(vocabulary)
        self.top_k = min(TOP_ITEMS, len(vocabulary.item_ids))
        self.units, self.size = model.encoder.units, int(model.item_embeddings.shape[1])
        self.state_size = model.encoder.state_size + self.size + 1

    def signatures(self) -> dict[str, Any]:
        """Return the signatures of the contract as concrete functions that call each other."""
        history = {**SEQUENCES, **ATTRIBUTES}
        state = {
            "state": tf.TensorSpec([None, self.state_size], tf.float32, "state"),
            "as_of": tf.TensorSpec([None, 1], tf.int64, "as_of"),
        }
        advance = _concrete(self.advance, **state, **SEQUENCES)
        serving_default = _concrete(partial(self.serving_default, advance), **history)
        top_items = _concrete(partial(self.top_items, serving_default), **history)
        return {"serving_default": serving_default, "advance": advance, "top_items": top_items}

    def serving_default(
        self,
        advance: Callable[..., Tensors],
        attributes: tf.Tensor,
        attribute_values: tf.Tensor,
        **history: tf.Tensor,
    ) -> Tensors:
        """Compute interest and state after a whole history."""
        start = self._model().initial_states(self.attribute_code(attributes, attribute_values))
        nothing = tf.zeros([tf.shape(start)[0], self.size + 1])
        state, as_of = tf.concat([start, nothing], axis=1), tf.cast(nothing[:, :1], tf.int64)
        return advance(state=state, as_of=as_of, **history)

    def advance(
        self,
        state: tf.Tensor,
        as_of: tf.Tensor,
        item_ids: tf.Tensor,
        event_types: tf.Tensor,
        values: tf.Tensor,
        timestamps: tf.Tensor,
    ) -> Tensors:
        """Compute interest and state after further interactions; equals replaying the whole history."""
        items = self.item_index.lookup(item_ids)
        events = self.event_code.lookup(event_types)
        items, events = tf.where(self._is_read(events, values), items, -1), tf.maximum(events, UNKNOWN)
        items, events, values, timestamps = _compact(items, events, values, timestamps)
        lengths = tf.reduce_sum(tf.cast(items >= 0, tf.int32), axis=1)
        previous = tf.concat([as_of, timestamps[:, :-1]], axis=1)
        parts = [self.state_size - self.size - 1, self.size, 1]
        encoder_state, sums, count = tf.split(state, parts, axis=1)
        positions = tf.cast(count, tf.int64) + tf.range(tf.shape(items, tf.int64)[1])
        codes = {
            "items": tf.maximum(items, 0),
            "events": events,
            "values": self._value_buckets(values),
            "gaps": _gap_buckets(timestamps, previous),
            "positions": _search(tf.constant(POSITION_EDGES), positions),
        }
        model = self._model()
        # Gather first: slicing the bias off the whole table would copy it at each call.
        embedded = tf.gather(self.scoring, codes["items"])[:, :, :-1]
        inputs = model.with_side_inputs(embedded, codes)
        outputs, encoder_state = model.encoder.advance(inputs, encoder_state, lengths)
        sums = weighted_sums(model.interests(outputs), lengths, sums)
        count += tf.cast(lengths[:, None], tf.float32)
        last = tf.gather(tf.concat([as_of, timestamps], axis=1), lengths[:, None], batch_dims=1)
        # The state is zero for a user without interactions and attributes.
        has_input = tf.cast(tf.reduce_any(encoder_state != 0, axis=1, keepdims=True), tf.float32)
        interest = model.interests(encoder_state[:, : self.units])
        forecast = model.forecast(interest, mean_interest(sums, count, interest)) * has_input[:, None]
        forecast = tf.concat([forecast, tf.ones_like(forecast[:, :, :1])], axis=2)
        return {
            "interest": forecast[:, 0],
            FORECAST: forecast,
            "state": tf.concat([encoder_state, sums, count], axis=1),
            "as_of": last,
        }

    def top_items(
        self, serving_default: Callable[..., Tensors], item_ids: tf.Tensor, **others: tf.Tensor
    ) -> Tensors:
        """Rank the catalog for a history; the lists are padded with "" and the lowest score."""
        interest = serving_default(item_ids=item_ids, **others)["interest"]
        scores = tf.matmul(interest, self.scoring, transpose_b=True)
        if self._filter_seen:
            seen = self.item_index.lookup(item_ids)
            rows = tf.broadcast_to(tf.range(tf.shape(seen)[0])[:, None], tf.shape(seen))
            cells = tf.boolean_mask(tf.stack([rows, seen], axis=2), seen >= 0)
            lowest = tf.fill([tf.shape(cells)[0]], tf.float32.min)
            scores = tf.tensor_scatter_nd_min(scores, cells, lowest)
        best, indexes = tf.math.top_k(scores, self.top_k)
        item_ids = tf.where(best > tf.float32.min, tf.gather(self.item_ids, indexes), PAD)
        return {"item_ids": item_ids, "scores": best}

    def _other_weights(self) -> list[tf.Variable]:
        model = self._model()
        projections = (variable for layer in model.projections for variable in layer.variables)
        layers = (*projections, *model.history_weights, *model.forecast.variables)
        tables = (*layers, *model.side_tables.values(), *model.start_tables)
        return [variable.value for variable in tables]

    def _is_read(self, events: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        codes = tf.stack([tf.maximum(events, UNKNOWN), self._value_buckets(values)], axis=-1)
        return (events != SKIPPED) & tf.gather_nd(self.read_table, codes)

    def _value_buckets(self, values: tf.Tensor) -> tf.Tensor:
        buckets = 1 + _search(self.value_edges, values)
        return tf.where(tf.math.is_nan(values), UNKNOWN, buckets)


class AttributeCodes(tf.Module):  # type: ignore[misc]
    """Encodes names and values of attributes, as Vocabulary.encode_attributes does."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(name="attributes")
        edges = vocabulary.attribute_edges
        longest = max(map(len, edges.values()), default=0)
        padded = [[*own, *[np.inf] * (longest - len(own))] for own in edges.values()]
        self._text = _index(vocabulary.attributes, 1, UNKNOWN)
        self._number = _index(list(edges), 1, 0)
        self._edges = np.array([[np.inf] * longest, *padded], np.float32)
        self._first = np.array([UNKNOWN, *map(vocabulary.first_bucket, edges)], np.int32)

    def __call__(self, names: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        """Map [batch, attributes] names and values to int32 codes, UNKNOWN for attributes not in training."""
        number = self._number.lookup(names)
        passed = tf.gather(tf.constant(self._edges), number) <= values[:, :, None]
        bucket = tf.reduce_sum(tf.cast(passed, tf.int32), axis=2)
        numbers = tf.gather(tf.constant(self._first), number) + bucket
        return tf.where(number > 0, numbers, self._text.lookup(names))


def _concrete(function: Callable[..., Tensors], **inputs: tf.TensorSpec) -> Any:
    """Trace a function in which no Python condition depends on a tensor, so that AutoGraph is not needed."""
    return tf.function(function, autograph=False).get_concrete_function(**inputs)


def _compact(items: tf.Tensor, *others: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Move interactions whose item is not -1 to the front, in order, and append an empty column."""
    order = tf.argsort(tf.cast(items < 0, tf.int32), axis=1, stable=True)
    padded = []
    for part, fill in zip((items, *others), (-1, UNKNOWN, np.nan, 0), strict=True):
        column = tf.fill([tf.shape(part)[0], 1], tf.cast(fill, part.dtype))
        padded.append(tf.concat([tf.gather(part, order, batch_dims=1), column], axis=1))
    return tuple(padded)


def _gap_buckets(timestamps: tf.Tensor, previous: tf.Tensor) -> tf.Tensor:
    buckets = 1 + _search(tf.constant(GAP_EDGES), timestamps - previous)
    return tf.where(previous == 0, UNKNOWN, buckets)


def _search(edges: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    buckets = tf.searchsorted(edges, tf.reshape(values, [-1]), side="right")
    return tf.reshape(buckets, tf.shape(values))


def _event_codes(vocabulary: Vocabulary) -> tf.lookup.StaticHashTable:
    """Return the codes of event types, as Vocabulary.encode_events computes them."""
    names = [*vocabulary.event_types, *vocabulary.untrained_events] or [PAD]
    codes = [*range(1, 1 + len(vocabulary.event_types)), *[UNKNOWN] * len(vocabulary.untrained_events)]
    initializer = tf.lookup.KeyValueTensorInitializer(
        tf.constant(names, tf.string), tf.constant(codes or [UNKNOWN], tf.int32)
    )
    return tf.lookup.StaticHashTable(initializer, SKIPPED if vocabulary.skips_other_events else UNKNOWN)


def _index(keys: list[str], first: int, missing: int) -> tf.lookup.StaticHashTable:
    # A lookup table can't be empty, so an empty one maps the padding to `missing`.
    codes = tf.range(first, first + len(keys), dtype=tf.int32) if keys else tf.constant([missing])
    table = tf.lookup.KeyValueTensorInitializer(tf.constant(keys or [PAD], tf.string), codes)
    return tf.lookup.StaticHashTable(table, missing)
