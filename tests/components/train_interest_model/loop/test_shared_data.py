"""What the chief shares is what the other workers receive, in a folder as in a bucket."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from components.row_preferences import preferences_by_user
from components.train_interest_model.data.sequences import encode
from components.train_interest_model.data.vocabulary import Vocabulary
from components.train_interest_model.hyperparameters import Hyperparameters
from components.train_interest_model.loop.shared_data import ModelShape, receive, share
from components.train_interest_model.loop.training_checkpoint import Checkpoint, TrainingState
from feature_repo.feedback import FeedbackPolicy
from feature_repo.table_schemas import TRAINING_SET
from tests.components.train_interest_model.conftest import history_row

VOCABULARY = Vocabulary(["a", "b"], ["click", "view"], [0.0, 1.0])
SHAPE = ModelShape(Hyperparameters(units=32).to_dict(), 2, 0, VOCABULARY.sizes)


@pytest.mark.parametrize("bucket", ["", "memory://shop/training/"])
def test_workers_receive_the_batches_of_the_chief(bucket: str, tmp_path: Path) -> None:
    items = ["a", "b", "a", "b", "a"]
    rows = [history_row(f"u{user}", "train", items[: 1 + user % 5], age=20.0) for user in range(30)]
    table = pa.Table.from_pylist(rows, schema=TRAINING_SET)
    encoded = encode(table, VOCABULARY, preferences_by_user(table, FeedbackPolicy()))
    sequences = replace(encoded, in_every_epoch=np.arange(30) < 5)
    folder, scratch = bucket or str(tmp_path / "shared"), tmp_path / "scratch"
    scratch.mkdir()
    share(folder, ["one:1", "two:2"], SHAPE, sequences)
    addresses, shape, received = receive(folder, scratch)

    assert addresses == ["one:1", "two:2"]
    assert shape.hyperparameters == Hyperparameters(units=32)
    assert shape.table_sizes == VOCABULARY.sizes
    batches = list(sequences.batch_rows(20, seed=4))
    assert len(batches) > 3
    for (rows_, width), (others, other_width) in zip(batches, received.batch_rows(20, seed=4), strict=True):
        np.testing.assert_array_equal(rows_, others)
        assert width == other_width
        for one, other in zip(
            sequences.pad(rows_, width).values(), received.pad(others, width).values(), strict=True
        ):
            np.testing.assert_array_equal(one, other)
    # Mapped, not read: what no batch needs takes no memory.
    assert isinstance(received.items.base, np.memmap)


def test_a_checkpoint_in_a_bucket_is_read_and_discarded() -> None:
    checkpoint = Checkpoint("memory://shop/checkpoint", "key")
    assert checkpoint.load() is None
    checkpoint.save(TrainingState(epoch=2, step=9), [np.arange(3.0)], [np.ones(2)])
    loaded = Checkpoint("memory://shop/checkpoint", "key").load()
    assert loaded is not None
    state, weights, optimizer = loaded
    assert (state.epoch, state.step) == (2, 9)
    np.testing.assert_array_equal(weights[0], np.arange(3.0))
    np.testing.assert_array_equal(optimizer[0], np.ones(2))
    checkpoint.discard()
    assert checkpoint.load() is None
