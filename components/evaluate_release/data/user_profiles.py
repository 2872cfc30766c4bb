"""Reads users' attributes, and returns them as the online store would."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.errors import StepError
from serving.ranking.cold_start import Profile


def read_users(file: Path) -> pa.Table:
    """Read user_id and attributes, text or numbers.

    Raises:
        StepError: the file can't be read or has no user_id.
    """
    try:
        users = pq.read_table(file)
    except (OSError, pa.ArrowException) as error:
        raise StepError(f"users {file} can't be read ({error}): expected a Parquet file") from error
    if "user_id" not in users.column_names:
        raise StepError(f"users {file} have the columns {users.column_names}, expected user_id among them")
    return users


def profiles(users: pa.Table, user_ids: Sequence[str]) -> dict[str, Profile]:
    """Map each of `user_ids` that is in `users` to its attributes that are not null."""
    ids = pa.array(list(dict.fromkeys(user_ids)), pa.string())
    rows = users.filter(pc.is_in(users["user_id"], ids)).to_pylist()
    return {
        row["user_id"]: {
            name: value
            for name, value in row.items()
            if name != "user_id" and isinstance(value, str | float | int)
        }
        for row in rows
    }
