"""Exports the SavedModel with warmup requests, and checks that it answers as the trained model does."""

from pathlib import Path
from typing import Final, cast

import numpy as np
import pyarrow as pa
import tensorflow as tf
from tensorflow.core.protobuf.fingerprint_pb2 import FingerprintDef

from components.errors import StepError
from components.saved_model import ServedModel
from components.train_interest_model.data import sequences
from components.train_interest_model.data.vocabulary import Vocabulary
from components.train_interest_model.export.serving_module import ServingModule
from components.train_interest_model.export.warmup_requests import write_warmup_requests
from components.train_interest_model.network.model import InterestModel
from components.user_attributes import attributes_of
from feature_repo import attributes
from feature_repo.atomic_files import atomic_directory
from feature_repo.histories import History, encode
from serving.release.item_embeddings import Precision, save_embeddings

SAVED_MODEL: Final = "saved_model"
FINGERPRINT: Final = "fingerprint.pb"
TOLERANCE: Final = 1e-4


def export(
    model: InterestModel, vocabulary: Vocabulary, filter_seen: bool, probes: pa.Table, output: Path
) -> None:
    """Write `saved_model/` and the item embeddings [items, size + 1] under `output`.

    The item embeddings are rounded to the served precision; the SavedModel's own copy is not.

    Args:
        probes: rows of the training set for which the SavedModel is compared with `model`.

    Raises:
        StepError: TensorFlow Serving's loader can't load the SavedModel, or its answers differ.
    """
    tf.config.experimental.enable_tensor_float_32_execution(False)
    module = ServingModule(model, vocabulary, filter_seen)
    with atomic_directory(output / SAVED_MODEL) as staged:
        tf.saved_model.save(module, str(staged), signatures=module.signatures())
        _remove_uuid(staged / FINGERPRINT)
        write_warmup_requests(staged, vocabulary, module.state_size)
        _check(staged, model, vocabulary, probes)
    save_embeddings(output, module.scoring.numpy(), _precision(model.hyperparameters.embedding_precision))


def _precision(chosen: str) -> Precision:
    """Return the precision of the embeddings; "auto" that was not resolved means float32."""
    return cast(Precision, chosen if chosen != "auto" else "float32")


def _remove_uuid(file: Path) -> None:
    """Remove the random number that TensorFlow gives each export: equal models are equal files then."""
    fingerprint = FingerprintDef.FromString(file.read_bytes())
    fingerprint.ClearField("uuid")
    file.write_bytes(fingerprint.SerializeToString(deterministic=True))


def _check(directory: Path, model: InterestModel, vocabulary: Vocabulary, probes: pa.Table) -> None:
    try:
        with ServedModel(directory) as served:
            inputs = encode(histories(probes)) | attributes.encode(attributes_of(probes))
            answer = served.run("serving_default", inputs)["interest"]
    except (tf.errors.OpError, ValueError, KeyError) as error:
        raise StepError(f"TensorFlow Serving's loader can't run {directory}: {error}") from error
    encoded = sequences.encode(probes, vocabulary)
    codes = encoded.pad(np.arange(len(encoded)), max(1, int(encoded.lengths.max())))
    expected = model.last_interests(model.item_vectors(), codes).numpy()
    if not np.allclose(answer, expected, atol=TOLERANCE):
        raise StepError(
            f"the SavedModel {directory} differs from the trained model by up to "
            f"{np.abs(answer - expected).max():.2g}: it was not exported; train again"
        )


def histories(rows: pa.Table) -> list[History]:
    """Return the histories of training set rows, as the recommender sends them."""
    columns = ("item_ids", "event_types", "values", "timestamps")
    return [
        History([], row["item_ids"], row["event_types"], row["values"], row["timestamps"])
        for row in rows.select(columns).to_pylist()
    ]
