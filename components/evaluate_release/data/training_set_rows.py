"""Reads from a training set what an evaluation needs, without holding all of it in memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.errors import StepError
from components.evaluate_release.data.queries import sample_users
from components.evaluate_release.data.snapshot import Snapshot
from components.query_limit import MAX_QUERIES
from components.user_attributes import with_attributes
from feature_repo.contract import ATTRIBUTE_INPUTS
from feature_repo.table_schemas import TRAINING_SET

HELD_OUT: Final = pa.array(["validation", "test"])
KEYS: Final = ["user_id", "cutoff", "split"]

# Rows in memory at once: up to 300 MB, if each has a history of the maximal length.
ROWS_PER_PART: Final = 20_000


@dataclass(frozen=True)
class TrainingSetRows:
    """Rows of a training set, sorted by user and cutoff, and facts about the other ones."""

    held_out: pa.Table  # the splits "validation" and "test", and the split "all" of their users
    windows: pa.Table  # the split "all" of a sample of users
    snapshot: Snapshot
    trained_until: int  # the newest cutoff (µs) of the split "train"; 0 for none
    trained_users: set[str]  # those users of held-out rows who are in the split "train", too

    @classmethod
    def read(cls, file: Path, index: pa.Array, seed: int, limit: int = MAX_QUERIES) -> "TrainingSetRows":
        """Read a Parquet file, in any order, since Feast's join returns no fixed one.

        Args:
            index: [items] string, the catalog's item ids.
            limit: of the windows; above it, those of a random sample of users.

        Raises:
            StepError: a column is missing.
        """
        with pq.ParquetFile(file) as training_set:
            check_columns(file, training_set.schema_arrow.names)
            keys = training_set.read(KEYS)
            train, everything = (keys.filter(pc.equal(keys["split"], split)) for split in ("train", "all"))
            users = keys.filter(pc.is_in(keys["split"], HELD_OUT))["user_id"].unique()
            sampled = sample_users(everything, limit, seed)
            kept = _Kept(pa.concat_arrays([users, sampled]).unique())
            snapshot = Snapshot.of(kept.read(training_set), index)
        rows = pa.concat_tables(kept.parts).sort_by([("user_id", "ascending"), ("cutoff", "ascending")])
        in_all, of_users = pc.equal(rows["split"], "all"), pc.is_in(rows["user_id"], users)
        return cls(
            held_out=rows.filter(of_users),
            windows=rows.filter(pc.and_(in_all, pc.is_in(rows["user_id"], sampled))),
            snapshot=snapshot,
            trained_until=int(pc.max(train["cutoff"].cast(pa.int64())).as_py() or 0),
            trained_users=set(users.filter(pc.is_in(users, train["user_id"].unique())).to_pylist()),
        )


class _Kept:
    """Keeps the held-out rows, and the windows of some users, while all rows are read."""

    def __init__(self, users: pa.Array) -> None:
        self._users, self.parts = users, [TRAINING_SET.empty_table()]

    def read(self, training_set: pq.ParquetFile) -> Iterator[pa.Table]:
        """Yield the windows of all users, part by part."""
        for batch in training_set.iter_batches(ROWS_PER_PART):
            rows = with_attributes(pa.Table.from_batches([batch])).select(TRAINING_SET.names)
            in_all = pc.equal(rows["split"], "all")
            of_users = pc.and_(in_all, pc.is_in(rows["user_id"], self._users))
            self.parts.append(rows.filter(pc.or_(of_users, pc.is_in(rows["split"], HELD_OUT))))
            yield rows.filter(in_all)


def check_columns(file: Path, names: list[str]) -> None:
    missing = [name for name in TRAINING_SET.names if name not in {*names, *ATTRIBUTE_INPUTS}]
    if missing:
        raise StepError(
            f"training set {file} lacks the columns {missing}: expected {list(TRAINING_SET.names)}; "
            "run the step 'Fetch training set' again"
        )
