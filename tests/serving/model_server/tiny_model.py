"""A SavedModel with the contract's signatures, whose outputs can be computed by hand.

Item `i3` has the vector [3, 1] x scale. Each interaction halves the interest and adds the vector of its item.
The state is the interest, and `top_items` ranks by the inner product.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog, PredictLog

from feature_repo.contract import ATTRIBUTE_INPUTS, PAD, SEQUENCE_INPUTS

ITEMS = 10
_STATE_INPUTS = {
    "state": tf.TensorSpec([None, 2], tf.float32, "state"),
    "as_of": tf.TensorSpec([None, 1], tf.int64, "as_of"),
}
_SEQUENCES = {name: tf.TensorSpec([None, None], dtype, name) for name, dtype in SEQUENCE_INPUTS.items()}
_ATTRIBUTES = {name: tf.TensorSpec([None, None], dtype, name) for name, dtype in ATTRIBUTE_INPUTS.items()}


class TinyModel(tf.Module):
    def __init__(self, scale: float) -> None:
        super().__init__()
        vectors = np.array([[item, 1] for item in range(ITEMS)], np.float32) * scale
        self.vectors = tf.Variable(vectors)
        self.item_ids = tf.constant([f"i{item}" for item in range(ITEMS)])
        initializer = tf.lookup.KeyValueTensorInitializer(self.item_ids, tf.range(ITEMS))
        self.index = tf.lookup.StaticHashTable(initializer, -1)

    def advance(
        self, state: Any, as_of: Any, item_ids: Any, event_types: Any, values: Any, timestamps: Any
    ) -> dict[str, Any]:
        index = self.index.lookup(item_ids)
        is_known = index >= 0
        vectors = tf.gather(self.vectors, tf.maximum(index, 0))
        for position in tf.range(tf.shape(item_ids)[1]):
            tf.autograph.experimental.set_loop_options(shape_invariants=[(state, tf.TensorShape([None, 2]))])
            updated = 0.5 * state + vectors[:, position]
            state = tf.where(is_known[:, position : position + 1], updated, state)
        seen = tf.where(item_ids != PAD, timestamps, 0)
        latest = tf.reduce_max(tf.concat([as_of, seen], 1), axis=1, keepdims=True)
        return {"interest": tf.identity(state), "state": state, "as_of": latest}

    def interest(self, attributes: Any, attribute_values: Any, **sequences: Any) -> dict[str, Any]:
        """Ignores the attributes."""
        rows = tf.shape(sequences["item_ids"])[0]
        return self.advance(tf.zeros([rows, 2]), tf.zeros([rows, 1], tf.int64), **sequences)

    def top_items(self, **inputs: Any) -> dict[str, Any]:
        scores = tf.matmul(self.interest(**inputs)["interest"], self.vectors, transpose_b=True)
        best, index = tf.math.top_k(scores, 3)
        return {"item_ids": tf.gather(self.item_ids, index), "scores": best}


def export(directory: Path, scale: float = 1.0) -> Path:
    """Write the SavedModel, with one warmup request, to `directory`."""
    model = TinyModel(scale)
    functions = {
        "serving_default": (model.interest, _SEQUENCES | _ATTRIBUTES),
        "advance": (model.advance, _STATE_INPUTS | _SEQUENCES),
        "top_items": (model.top_items, _SEQUENCES | _ATTRIBUTES),
    }
    signatures = {
        name: tf.function(function).get_concrete_function(**specs)
        for name, (function, specs) in functions.items()
    }
    tf.saved_model.save(model, str(directory), signatures=signatures)
    write_warmup(directory, [predict_request("tiny", sequences(["i1"]))])
    return directory


def sequences(*histories: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the inputs for histories of item ids; the n-th timestamp is n µs, without attributes."""
    shape = (len(histories), 1 + max(map(len, histories)))
    item_ids, timestamps = np.full(shape, PAD, object), np.zeros(shape, np.int64)
    for row, history in enumerate(histories):
        item_ids[row, 1 : 1 + len(history)] = history
        timestamps[row, 1 : 1 + len(history)] = np.arange(1, 1 + len(history))
    values = np.zeros(shape, np.float32)
    padding = np.full((len(histories), 1), PAD, object)
    return {
        "item_ids": item_ids,
        "event_types": item_ids,
        "values": values,
        "timestamps": timestamps,
        "attributes": padding,
        "attribute_values": np.full(padding.shape, np.nan, np.float32),
    }


def predict_request(model: str, inputs: Mapping[str, np.ndarray], signature: str = "") -> PredictRequest:
    """Return a request as the official client builds it."""
    request = PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for name, array in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(array, shape=array.shape))
    return request


def write_warmup(directory: Path, requests: Sequence[PredictRequest]) -> None:
    """Write `requests` as the warmup of the SavedModel in `directory`."""
    path = directory / "assets.extra" / "tf_serving_warmup_requests"
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for request in requests:
            writer.write(PredictionLog(predict_log=PredictLog(request=request)).SerializeToString())
