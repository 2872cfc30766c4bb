"""Writes the SavedModel with its warmup requests, and refuses one that answers otherwise than the model."""

from pathlib import Path
from typing import Final, cast

import numpy as np
import pyarrow as pa
import tensorflow as tf

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
TOLERANCE: Final = 1e-4


def export(
    model: InterestModel, vocabulary: Vocabulary, filter_seen: bool, probes: pa.Table, output: Path
) -> None:
    """Write `saved_model/` and the item embeddings [items, size + 1] under `output`.

    The embeddings are rounded to the precision that they are served at; the SavedModel's, which histories are
    read by, are not.

    Args:
        probes: rows of the training set that what was written must answer as `model` does.

    Raises:
        StepError: TensorFlow Serving's loader can't read what was written, or it answers otherwise.
    """
    tf.config.experimental.enable_tensor_float_32_execution(False)
    module = ServingModule(model, vocabulary, filter_seen)
    with atomic_directory(output / SAVED_MODEL) as staged:
        tf.saved_model.save(module, str(staged), signatures=module.signatures())
        write_warmup_requests(staged, vocabulary, module.state_size)
        _check(staged, model, vocabulary, probes)
    save_embeddings(output, module.scoring.numpy(), _precision(model.hyperparameters.embedding_precision))


def _precision(chosen: str) -> Precision:
    """One that nothing was chosen for loses nothing."""
    return cast(Precision, chosen if chosen != "auto" else "float32")


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
            f"{directory} answers otherwise than the model that it was written from, by "
            f"{np.abs(answer - expected).max():.2g}: nothing was exported; train again"
        )


def histories(rows: pa.Table) -> list[History]:
    """Rows of the training set as the service would send them."""
    columns = ("item_ids", "event_types", "values", "timestamps")
    return [
        History([], row["item_ids"], row["event_types"], row["values"], row["timestamps"])
        for row in rows.select(columns).to_pylist()
    ]
