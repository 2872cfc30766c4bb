"""Runs the warmup requests of a SavedModel before it serves."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from serving.model_server.errors import invalid, unimplemented

# As in TensorFlow Serving's servables/tensorflow/saved_model_warmup_util.h
WARMUP_REQUESTS: Final = "assets.extra/tf_serving_warmup_requests"
MAX_RECORDS: Final = 1000


def replay(directory: Path, predict: Callable[[PredictRequest], object]) -> int:
    """Pass the warmup requests in `directory` to `predict`; return their number.

    Raises:
        Failure: a record can't be read or is no Predict request, a request fails, or there are over 1,000.
    """
    path = directory / WARMUP_REQUESTS
    if not path.exists():
        return 0
    count = 0
    for record in tf.compat.v1.io.tf_record_iterator(str(path)):
        predict(_request(record, path))
        count += 1
        if count > MAX_RECORDS:
            raise invalid(f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {path}")
    return count


def _request(record: bytes, path: Path) -> PredictRequest:
    try:
        log = PredictionLog.FromString(record)
    except DecodeError as error:
        raise invalid(f"Failed to parse warmup record: {record[:80]!r} from {path}") from error
    kind = log.WhichOneof("log_type")
    if kind != "predict_log":
        raise unimplemented(f"Unsupported log_type for warmup: {kind} in {path}")
    return log.predict_log.request
