"""Validation encodes a user's histories once where one begins with another, with the ranks of each alone."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from components.train_interest_model.data.sequences import encode
from components.train_interest_model.export.saved_weights import SavedWeights
from components.train_interest_model.loop import validation_metrics
from components.train_interest_model.loop.validation_metrics import Validation
from feature_repo.table_schemas import TRAINING_SET
from tests.components.train_interest_model.conftest import World, history_row
from tests.components.train_interest_model.restored_model import restored

HISTORIES = [
    ("a", ["i0"]),
    ("a", ["i0", "i1", "i2"]),
    ("a", ["i1", "i2", "i3"]),  # the window has moved on
    ("b", []),
    ("b", ["i0", "i1", "i2", "i3"]),
    ("c", ["i0", "i1"]),
]


def test_histories_encoded_together_get_the_ranks_of_each_alone(cycle: World, learned_cycle: Path) -> None:
    saved = SavedWeights.load(learned_cycle)
    model = restored(saved, cycle)
    rows = [history_row(user, "validation", items, "i4") for user, items in HISTORIES]
    tables = [pa.Table.from_pylist(part, schema=TRAINING_SET) for part in (rows, *([row] for row in rows))]

    together, *alone = (encode(table, saved.vocabulary) for table in tables)

    assert validation_metrics._longest_histories(together).tolist() == [1, 1, 2, 4, 4, 5]
    expected = np.concatenate([Validation(own, None).ranks(model) for own in alone])
    assert len(set(expected)) > 1
    for batch_size in (1, 2, 128):
        assert Validation(together, None, batch_size).ranks(model).tolist() == expected.tolist()
