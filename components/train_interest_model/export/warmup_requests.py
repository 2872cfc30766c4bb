"""Writes warmup requests into a SavedModel, so that a new version's first answers are not slow."""

from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf

from components.train_interest_model.data.vocabulary import Vocabulary
from feature_repo import attributes
from feature_repo.attributes import Attributes
from feature_repo.contract import FORECAST, INTEREST, INTEREST_MODEL, SIGNATURES
from feature_repo.histories import History, encode

REQUESTS: Final = "assets.extra/tf_serving_warmup_requests"
LENGTHS: Final = (0, 3, 20, 200)
# The sets of outputs that the recommender asks for; [] is all of them.
OUTPUTS: Final[tuple[list[str], ...]] = ([], [INTEREST], [FORECAST])


def write_warmup_requests(saved_model: Path, vocabulary: Vocabulary, state_size: int) -> None:
    """Write requests of each signature for several history lengths, as TensorFlow Serving's PredictionLog.

    Each is written for each of OUTPUTS, since TensorFlow needs 0.1 s and more to plan a set of outputs.
    """
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    file = saved_model / REQUESTS
    file.parent.mkdir()
    with tf.io.TFRecordWriter(str(file)) as writer:
        for signature, outputs, length in product(SIGNATURES, OUTPUTS, LENGTHS):
            if not outputs or INTEREST in SIGNATURES[signature]["outputs"]:
                log = PredictionLog()
                request = log.predict_log.request
                request.model_spec.name = INTEREST_MODEL
                request.model_spec.signature_name = signature
                request.output_filter.extend(outputs)
                for name, value in _inputs(signature, length, vocabulary, state_size).items():
                    request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
                writer.write(log.SerializeToString(deterministic=True))


def _inputs(signature: str, length: int, vocabulary: Vocabulary, state_size: int) -> dict[str, Any]:
    item_ids = [vocabulary.item_ids[position % len(vocabulary.item_ids)] for position in range(length)]
    event_type = (vocabulary.event_types or [""])[0]
    timestamps = [(1 + position) * 1_000_000 for position in range(length)]
    inputs = encode([History([], item_ids, [event_type] * length, [1.0] * length, timestamps)])
    if signature == "advance":
        return inputs | {"state": np.zeros((1, state_size), np.float32), "as_of": np.zeros((1, 1), np.int64)}
    names = vocabulary.attributes[:length]
    return inputs | attributes.encode([Attributes(names, [np.nan] * len(names))])
