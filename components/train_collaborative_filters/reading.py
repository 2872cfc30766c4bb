"""Reads the interactions of one split of the training set as arrays."""

from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.errors import StepError
from components.progress import report
from components.train_collaborative_filters.event_log import EventLog
from components.train_collaborative_filters.signed_interactions import SignedInteractions, by_sign
from feature_repo.feedback import FeedbackPolicy

COLUMNS: Final = ("user_id", "split", "item_ids", "event_types", "values", "timestamps")


def read(training_set: Path, items: Path, split: str, feedback: FeedbackPolicy) -> SignedInteractions:
    """Read the windows of a split, see `fit`; an item's index is its row in `items`.

    Raises:
        StepError: a file can't be read, the split has no positive interaction, or an item is not in `items`.
    """
    log = _read_log(training_set, items, split)
    report(
        f"split {split}: {len(log.users):,} interactions, {len(log.user_ids):,} users, "
        f"{log.item_count:,} items"
    )
    return by_sign(log.in_order(), feedback, split)


def _read_log(training_set: Path, items: Path, split: str) -> EventLog:
    ids = read_table(items, ["item_id"]).column("item_id").combine_chunks()
    windows = read_table(training_set, list(COLUMNS), pc.field("split") == split)
    lengths = pc.fill_null(pc.list_value_length(windows.column("item_ids")), 0).to_numpy()
    if not lengths.sum():
        raise StepError(
            f"{training_set} holds no interaction of split {split!r}: expected windows of 'train' or 'all'; "
            "the spine needs users before its first cutoff (more data, or --protocol leave-one-out)"
        )
    user_ids, users = _codes(windows.column("user_id"))
    event_types, events = _codes(_flat(windows.column("event_types")))
    return EventLog(
        users=np.repeat(users, lengths),
        items=_indexes(windows.column("item_ids"), ids, items),
        events=events,
        values=_flat(windows.column("values")).to_numpy(),
        timestamps=_flat(windows.column("timestamps")).to_numpy(),
        user_ids=user_ids,
        event_types=event_types,
        item_count=len(ids),
    )


def read_table(file: Path, columns: list[str] | None = None, rows: pc.Expression | None = None) -> pa.Table:
    """Read the columns and the rows, or all, of a Parquet file.

    Raises:
        StepError: the file can't be read, or a column is missing.
    """
    try:
        return pq.read_table(file, columns=columns, filters=rows)
    except (OSError, pa.ArrowException) as error:
        expected = f" with the columns {columns}" if columns else ""
        raise StepError(f"{file}: expected a Parquet file{expected}: {error}") from error


def _codes(texts: pa.ChunkedArray) -> tuple[list[str], NDArray[np.int32]]:
    """Return the distinct texts, sorted, and the index of each text among them."""
    encoded = texts.combine_chunks().dictionary_encode()
    order = pc.sort_indices(encoded.dictionary).to_numpy()
    ranks = np.empty(len(order), np.int32)
    ranks[order] = np.arange(len(order))
    return encoded.dictionary.take(order).to_pylist(), ranks[encoded.indices.to_numpy()]


def _flat(lists: pa.ChunkedArray) -> pa.ChunkedArray:
    return pa.chunked_array([chunk.flatten() for chunk in lists.chunks], lists.type.value_type)


def _indexes(item_ids: pa.ChunkedArray, catalog_ids: pa.Array, items: Path) -> NDArray[np.int32]:
    flat = _flat(item_ids)
    indexes = pc.index_in(flat, value_set=catalog_ids)
    if indexes.null_count:
        missing = flat.filter(pc.is_null(indexes))[0].as_py()
        raise StepError(
            f"{indexes.null_count} interactions have an item that is not in {items}, first {missing!r}: "
            "use the items and the training set of the same run"
        )
    array: NDArray[np.int32] = indexes.to_numpy().astype(np.int32)
    return array
