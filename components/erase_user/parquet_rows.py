"""Deletes the rows of a user from Parquet files, or replaces all user ids, a batch at a time."""

from collections.abc import Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from fsspec import AbstractFileSystem

from components.errors import StepError
from feature_repo.atomic_files import atomic_upload
from feature_repo.filesystems import locate

KEY: Final = "user_id"
_ROWS: Final = 5_000


def delete_rows(location: str, user_id: str) -> int:
    """Delete the rows with the user's id from all tables below a location; returns their number.

    Args:
        location: a directory or an fsspec URL; tables without a column user_id stay as they are.
    """
    filesystem, paths = _tables(location)
    return sum(_delete_from(filesystem, path, user_id) for path in paths)


def count_rows(location: str, user_id: str) -> int:
    """Return the number of rows that delete_rows would delete."""
    filesystem, paths = _tables(location)
    total = 0
    for path in paths:
        with filesystem.open(path, "rb") as file, pq.ParquetFile(file) as table:
            total += _count(table, user_id)
    return total


def stored_ids(location: str) -> set[str]:
    """Return the user ids of all tables below a location."""
    filesystem, paths = _tables(location)
    ids = set[str]()
    for path in paths:
        with filesystem.open(path, "rb") as file, pq.ParquetFile(file) as table:
            if KEY in table.schema_arrow.names:
                for batch in table.iter_batches(columns=[KEY]):
                    ids.update(batch[KEY].cast(pa.string()).unique().drop_null().to_pylist())
    return ids - {""}


def replace_ids(location: str, ids: Mapping[str, str]) -> None:
    """Replace the user ids of all tables below a location.

    Raises:
        StepError: a table has an id that `ids` has not.
    """
    filesystem, paths = _tables(location)
    for path in paths:
        _replace_in(filesystem, path, ids)


def replaced_id(user_id: str, ids: Mapping[str, str], place: str) -> str:
    """Return the id in place of a user id; raises StepError with the place if there is none."""
    if user_id not in ids:
        raise StepError(
            f"{place} has the user id {user_id!r}, which was in no store when the rotation of the key began: "
            "delete this file, which something has written meanwhile, then repeat this"
        )
    return ids[user_id]


def _tables(location: str) -> tuple[AbstractFileSystem, list[str]]:
    filesystem, root = locate(location)
    if not filesystem.exists(root):
        return filesystem, []
    return filesystem, [path for path in filesystem.find(root) if _is_table(filesystem, path)]


def _count(table: pq.ParquetFile, user_id: str) -> int:
    if KEY not in table.schema_arrow.names:
        return 0
    return pc.sum(pc.equal(table.read([KEY])[KEY].cast(pa.string()), user_id)).as_py() or 0


def _is_table(filesystem: AbstractFileSystem, path: str) -> bool:
    with filesystem.open(path, "rb") as file:
        return bool(file.read(4) == b"PAR1")


def _delete_from(filesystem: AbstractFileSystem, path: str, user_id: str) -> int:
    with filesystem.open(path, "rb") as file, pq.ParquetFile(file) as table:
        if not (rows := _count(table, user_id)):
            return 0
        with (
            atomic_upload(filesystem, path) as target,
            pq.ParquetWriter(target, table.schema_arrow, compression="zstd") as writer,
        ):
            for batch in table.iter_batches(_ROWS):
                kept = pc.fill_null(pc.not_equal(batch[KEY].cast(pa.string()), user_id), True)
                writer.write_batch(batch.filter(kept))
    return int(rows)


def _replace_in(filesystem: AbstractFileSystem, path: str, ids: Mapping[str, str]) -> None:
    with filesystem.open(path, "rb") as file, pq.ParquetFile(file) as table:
        schema = table.schema_arrow
        if KEY not in schema.names:
            return
        column, kind = schema.get_field_index(KEY), schema.field(KEY)
        with (
            atomic_upload(filesystem, path) as target,
            pq.ParquetWriter(target, schema, compression="zstd") as writer,
        ):
            for batch in table.iter_batches(_ROWS):
                stored = batch[KEY].cast(pa.string()).to_pylist()
                replaced = pa.array([each and replaced_id(each, ids, path) for each in stored], pa.string())
                writer.write_batch(batch.set_column(column, kind, replaced.cast(kind.type)))
