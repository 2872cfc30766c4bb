"""Interests of real users, for measuring the index of a large catalog."""

from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from components.register_release import registration
from components.register_release.interests import sample_interests
from feature_repo.table_schemas import ITEMS
from serving.release.collaborative_filters import CollaborativeFilters
from tests.components.evaluate_release.ring_world import N_ITEMS, item_table, save_ring_model


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("model")
    save_ring_model(directory, 1)
    return directory / "saved_model"


ITEM_IDS = [f"i{item}" for item in range(N_ITEMS)]


def test_each_users_history_has_the_chosen_items(saved_model: Path) -> None:
    rows = np.zeros((2, N_ITEMS), np.float32)
    rows[0, [1, 4]] = rows[1, [2, 6]] = 0.7
    interests = sample_interests(saved_model, csr_array(rows), ITEM_IDS)
    # The model predicts the item after the last one.
    assert sorted(interests.argmax(axis=1).tolist()) == [5, 7]


def test_only_a_large_catalog_needs_interests(saved_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, counts = csr_array(np.eye(N_ITEMS, dtype=np.float32)), np.ones(N_ITEMS, np.float32)
    filters = CollaborativeFilters(matrix, matrix, matrix, popularity=counts, trend=counts)
    table = item_table()
    assert table.schema.names == ITEMS.names
    assert registration._interests(saved_model, filters, table) is None
    monkeypatch.setattr(registration, "EXACT_ITEMS", 3)
    interests = registration._interests(saved_model, filters, table)
    assert interests is not None
    assert interests.shape == (N_ITEMS, N_ITEMS)
