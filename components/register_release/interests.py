"""Computes interests of real users, to measure the recall of a large catalog's approximate index."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from components.saved_model import SavedInterestModel
from feature_repo.contract import MAX_HISTORY
from feature_repo.histories import History

MAX_USERS = 500


def sample_interests(saved_model: Path, user_items: csr_array, item_ids: list[str]) -> NDArray[np.float32]:
    """Return [at most MAX_USERS, interest size] float32, of users drawn at random.

    Args:
        user_items: [users, items]; without timestamps, so each history is in the order of the item indexes.
    """
    drawn = np.random.default_rng(0).permutation(user_items.shape[0])[:MAX_USERS]
    model = SavedInterestModel(saved_model)
    try:
        return model.interest([_history(user_items, row, item_ids) for row in drawn])
    finally:
        model.close()


def _history(user_items: csr_array, row: int, item_ids: list[str]) -> History:
    chosen = user_items.indices[user_items.indptr[row] : user_items.indptr[row + 1]][-MAX_HISTORY:]
    ids = [item_ids[item] for item in chosen]
    timestamps = [60_000_000 * minute for minute in range(1, len(ids) + 1)]
    return History(ids, ids, ["view"] * len(ids), [float("nan")] * len(ids), timestamps)
