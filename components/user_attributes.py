"""Reads user attributes for the interest model from the offline store's user profiles."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from feature_repo.attributes import ACTIVITY, Attributes
from feature_repo.contract import ATTRIBUTE_INPUTS, USER_PROFILE
from feature_repo.filesystems import open_binary
from feature_repo.store_addresses import table_path
from feature_repo.table_schemas import TRAINING_SET

NAMES, VALUES = (TRAINING_SET.field(name) for name in ATTRIBUTE_INPUTS)
NOT_ATTRIBUTES = (*ACTIVITY, "user_id", "event_timestamp", "created")


@dataclass(frozen=True)
class UserAttributes:
    """The newest attributes of all users; the sources keep no earlier values.

    Stored as columns, because Python objects of a million users take gigabytes.
    """

    profiles: pa.Table  # user_id, and one column for each attribute

    @classmethod
    def read(cls, features: str) -> "UserAttributes":
        """Read the attributes at a features location, a directory or an fsspec URL."""
        with open_binary(table_path(features, USER_PROFILE)) as file:
            profiles = pq.ParquetFile(file)
            names = [name for name in profiles.schema_arrow.names if name not in NOT_ATTRIBUTES]
            return cls(profiles.read(["user_id", *names]).combine_chunks())

    def lookup(self, users: pa.ChunkedArray) -> list[Attributes]:
        """Return the attributes of each of `users` [n] string; empty ones for an unknown user."""
        ids, columns = self.profiles["user_id"], self.profiles.drop_columns("user_id")
        if not columns.num_columns:
            return [Attributes()] * len(users)
        first, last = pc.min_max(users.cast(ids.type)).values()
        # An index of all users would be made anew for each part of the users.
        within = pc.and_(pc.greater_equal(ids, first), pc.less_equal(ids, last))
        ids, columns = ids.filter(within), columns.filter(within)
        rows = pc.index_in(users.cast(ids.type), value_set=ids.combine_chunks())
        return [Attributes.of(profile) for profile in columns.take(rows).to_pylist()]

    def columns(self, users: pa.ChunkedArray) -> list[pa.Array]:
        """Return the columns `attributes` and `attribute_values` of the training set for `users` [n]."""
        encoded = users.combine_chunks().dictionary_encode()
        unique = self.lookup(pa.chunked_array([encoded.dictionary]))
        names = pa.array([list(row.names) for row in unique], NAMES.type)
        values = pa.array([list(row.values) for row in unique], VALUES.type)
        return [names.take(encoded.indices), values.take(encoded.indices)]


def with_attributes(training_set: pa.Table) -> pa.Table:
    """Add empty attribute columns to a training set of an older version, which has none."""
    for column in (NAMES, VALUES):
        if column.name not in training_set.column_names:
            training_set = training_set.append_column(column, pa.nulls(len(training_set), column.type))
    return training_set


def attributes_of(training_set: pa.Table) -> list[Attributes]:
    """Return the attributes of each row's user."""
    names, values = (training_set[column.name].to_pylist() for column in (NAMES, VALUES))
    return [Attributes(*(entry or [] for entry in row)) for row in zip(names, values, strict=True)]
