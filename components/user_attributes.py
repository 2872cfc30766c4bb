"""Users' attributes as the interest model takes them, from the built features."""

from collections.abc import Sequence
from dataclasses import dataclass

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from feature_repo.addresses import table_path
from feature_repo.attributes import ACTIVITY, Attributes
from feature_repo.contract import ATTRIBUTE_INPUTS, TRAINING_SET, USER_PROFILE

NAMES, VALUES = (TRAINING_SET.field(name) for name in ATTRIBUTE_INPUTS)
NOT_GIVEN = (*ACTIVITY, "user_id", "event_timestamp", "created")


@dataclass(frozen=True)
class UserAttributes:
    """What is given of users, as of the snapshot: attributes come without a history.

    Kept as the columns that they are stored in: as Python objects a million users' would take gigabytes.
    """

    profiles: pa.Table  # user_id, and a column an attribute

    @classmethod
    def read(cls, features: str) -> "UserAttributes":
        with fsspec.open(table_path(features, USER_PROFILE), "rb") as file:
            profiles = pq.ParquetFile(file)
            names = [name for name in profiles.schema_arrow.names if name not in NOT_GIVEN]
            return cls(profiles.read(["user_id", *names]).combine_chunks())

    def of(self, users: pa.ChunkedArray) -> list[Attributes]:
        """Of each of `users` [n] string; empty where nothing is known."""
        ids, given = self.profiles["user_id"], self.profiles.drop_columns("user_id")
        if not given.num_columns:
            return [Attributes()] * len(users)
        rows = pc.index_in(users.cast(ids.type), value_set=ids.combine_chunks())
        return [Attributes.of(profile) for profile in given.take(rows).to_pylist()]


def columns(known: Sequence[Attributes]) -> tuple[pa.Array, pa.Array]:
    """The training set's `attributes` and `attribute_values`, a row each."""
    names = pa.array([list(one.names) for one in known], NAMES.type)
    return names, pa.array([list(one.values) for one in known], VALUES.type)


def with_attributes(training_set: pa.Table) -> pa.Table:
    """As it is, with empty attributes where it was fetched before there were any."""
    for column in (NAMES, VALUES):
        if column.name not in training_set.column_names:
            training_set = training_set.append_column(column, pa.nulls(len(training_set), column.type))
    return training_set


def attributes_of(training_set: pa.Table) -> list[Attributes]:
    """Of each row's user."""
    names, values = (training_set[column.name].to_pylist() for column in (NAMES, VALUES))
    return [Attributes(one or [], other or []) for one, other in zip(names, values, strict=True)]
