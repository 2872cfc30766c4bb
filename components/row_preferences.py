"""The preferences of the interactions in rows of the training set, each of which holds a history."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from feature_repo.feedback import FeedbackPolicy, FloatArray


def preferences_by_row(rows: pa.Table, feedback: FeedbackPolicy) -> FloatArray:
    """Return the preferences [interactions], each from the history of its row alone, as serving does."""
    return _preferences(rows, feedback, list_offsets(rows["item_ids"]))


def preferences_by_user(rows: pa.Table, feedback: FeedbackPolicy) -> FloatArray:
    """Return the preferences [interactions], each from all rows of its user.

    A later opinion or cancellation may be in a later window.

    Args:
        rows: sorted by user and cutoff; a user's rows are disjoint windows.
    """
    users = rows["user_id"].to_numpy(zero_copy_only=False)
    first_rows = np.flatnonzero(np.concatenate([[True], users[1:] != users[:-1]])[: len(users)])
    offsets = list_offsets(rows["item_ids"])
    return _preferences(rows, feedback, np.append(offsets[first_rows], offsets[-1]))


def flatten(column: pa.ChunkedArray) -> pa.Array:
    """Concatenate the lists of a column."""
    return pc.list_flatten(column.combine_chunks())


def list_offsets(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return [rows + 1] the offsets of the lists in the flattened column; a null list is empty."""
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy().astype(np.int64)
    return np.concatenate([[0], np.cumsum(lengths)])


def flat_values(rows: pa.Table) -> FloatArray:
    """Return the values [interactions], NaN for none."""
    values: FloatArray = flatten(rows["values"]).to_numpy(zero_copy_only=False).astype(np.float32)
    return values


def _preferences(rows: pa.Table, feedback: FeedbackPolicy, offsets: NDArray[np.int64]) -> FloatArray:
    return feedback.preferences(
        flatten(rows["item_ids"]).dictionary_encode().indices.to_numpy(),
        flatten(rows["event_types"]).to_pylist(),
        flat_values(rows),
        flatten(rows["timestamps"]).to_numpy().astype(np.int64),
        offsets,
    )
