"""Warmup requests beside a SavedModel: a new version's first answers are then as fast as its later ones."""

from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf

from components.train_interest_model.data.vocabulary import Vocabulary
from feature_repo import attributes
from feature_repo.attributes import Attributes
from feature_repo.contract import INTEREST, INTEREST_MODEL, SIGNATURES
from feature_repo.histories import History, encode

REQUESTS: Final = "assets.extra/tf_serving_warmup_requests"
LENGTHS: Final = (0, 3, 20, 200)


def write_warmup_requests(saved_model: Path, vocabulary: Vocabulary, state_size: int) -> None:
    """Each signature with histories of several lengths, as TensorFlow Serving's PredictionLog.

    For all outputs, and for the interest alone: TensorFlow plans each set of outputs anew, for some 0.1 s.
    """
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    file = saved_model / REQUESTS
    file.parent.mkdir()
    with tf.io.TFRecordWriter(str(file)) as writer:
        for signature, wanted, length in product(SIGNATURES, ([], [INTEREST]), LENGTHS):
            if set(wanted) <= SIGNATURES[signature]["outputs"].keys():
                log = PredictionLog()
                request = log.predict_log.request
                request.model_spec.name = INTEREST_MODEL
                request.model_spec.signature_name = signature
                request.output_filter.extend(wanted)
                for name, value in _inputs(signature, length, vocabulary, state_size).items():
                    request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
                writer.write(log.SerializeToString())


def _inputs(signature: str, length: int, vocabulary: Vocabulary, state_size: int) -> dict[str, Any]:
    item_ids = [vocabulary.item_ids[place % len(vocabulary.item_ids)] for place in range(length)]
    kind = (vocabulary.event_types or [""])[0]
    timestamps = [(1 + place) * 1_000_000 for place in range(length)]
    inputs = encode([History([], item_ids, [kind] * length, [1.0] * length, timestamps)])
    if signature == "advance":
        return inputs | {"state": np.zeros((1, state_size), np.float32), "as_of": np.zeros((1, 1), np.int64)}
    names = vocabulary.attributes[:length]
    return inputs | attributes.encode([Attributes(names, [np.nan] * len(names))])
