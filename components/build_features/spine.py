"""Computes the spine (Feast: entity dataframe): the (user, cutoff) rows to train on and to evaluate on."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.build_features.labelled_users import Integers, LabelledUsers
from components.build_features.splits import EvaluationProtocol
from components.build_features.time_conversion import to_datetime
from components.build_features.windows import windows
from components.errors import StepError
from components.progress import report
from components.query_limit import MAX_QUERIES
from feature_repo.contract import MAX_HISTORY
from feature_repo.table_schemas import SPINE

# Time orders nothing if fewer of the users with several interactions have them at different times.
MIN_ORDERED_SHARE: Final = 0.05


def build_spine(
    labelled: Iterable[LabelledUsers],
    protocol: EvaluationProtocol,
    as_of: int,
    max_history: int = MAX_HISTORY,
    before_test: bool = False,
) -> pa.Table:
    """Return the rows of a protocol: user_id, cutoff, split, target_item_id (null except for queries).

    The windows of the splits "train" and "all" contain each of their interactions once. A query has the
    timestamp of its target as its cutoff, so that all queries of one time have one history.

    Args:
        labelled: the users' interactions before `as_of` (µs), without impressions; only positive ones are
            targets.
        before_test: add windows of the split "before_test", which has the interactions of the training and of
            the validation, for a refit whose test is honest.

    Raises:
        StepError: time orders nothing.
    """
    order, parts = _Order(), [SPINE.empty_table()]
    for users in labelled:
        order.add(users)
        parts += _rows_of(users, protocol, as_of, max_history, before_test)
    order.check()
    spine = pa.concat_tables(parts)
    if protocol.sampled_by:
        spine = _sample(spine, protocol.sampled_by)
    # A user may choose an item twice at one time: these are one query.
    spine = spine.group_by(SPINE.names).aggregate([]).select(SPINE.names)
    return spine.sort_by([(name, "ascending") for name in SPINE.names]).combine_chunks()


def _rows_of(
    users: LabelledUsers, protocol: EvaluationProtocol, as_of: int, max_history: int, before_test: bool
) -> Iterator[pa.Table]:
    split, everything = protocol.split(users), np.full(len(users.user_ids), as_of, np.int64)
    ends = {"train": split.train_until, "all": everything}
    if before_test:
        ends["before_test"] = split.test_from
    for name, until in ends.items():
        owners, cutoffs = windows(users, until, max_history)
        targets = pa.nulls(len(owners), pa.string())
        yield _rows(users.user_ids.take(pa.array(owners)), cutoffs, name, targets)
    for name, positions in split.targets.items():
        user_ids = users.user_ids.take(pa.array(users.owners[positions]))
        item_ids = users.item_ids.take(pa.array(positions))
        yield _rows(user_ids, users.timestamps[positions], name, item_ids)


@dataclass
class _Order:
    """Counts the users whose interactions time orders."""

    several: int = 0  # users with two interactions or more
    ordered: int = 0  # users with interactions at two times or more
    example: str = ""

    def add(self, users: LabelledUsers) -> None:
        counts = np.diff(users.offsets)
        unordered = (counts > 1) & (users.steps == 1)
        self.several += int(np.count_nonzero(counts > 1))
        self.ordered += int(np.count_nonzero(users.steps > 1))
        if unordered.any() and not self.example:
            user = int(np.argmax(np.where(unordered, counts, 0)))
            time = to_datetime(int(users.timestamps[users.offsets[user]]))
            self.example = (
                f"user {users.user_ids[user].as_py()!r} has {counts[user]:,} interactions, all at "
                f"{time:%Y-%m-%d %H:%M:%S} UTC"
            )

    def check(self) -> None:
        """Raise StepError if hardly any user has interactions at two times."""
        if self.ordered < MIN_ORDERED_SHARE * self.several:
            raise StepError(
                f"time orders nothing: of {self.several:,} users with several interactions, {self.ordered:,} "
                f"have them at different times; {self.example}. The recommender learns what follows what, "
                "and is measured on what came last. Use the time of each interaction as the column "
                "timestamp, not of the export or of the user's registration, and interactions of a longer "
                "span if the times are dates"
            )


def _rows(user_ids: pa.Array, cutoffs: Integers, split: str, targets: pa.Array) -> pa.Table:
    columns = [user_ids, pa.array(cutoffs), pa.array([split] * len(cutoffs), pa.string()), targets]
    return pa.table(columns, names=SPINE.names).cast(SPINE)


def _sample(spine: pa.Table, key: tuple[str, ...]) -> pa.Table:
    """Keep at most MAX_QUERIES queries of a split, chosen by a hash of `key`: every run has the same.

    If the key is the user, the same users are kept in both splits, with all of their queries.
    """
    is_query = pc.is_valid(spine["target_item_id"])
    queries, rest = spine.filter(is_query), spine.filter(pc.invert(is_query))
    places = _places(queries, key)
    kept = np.ones(len(queries), bool)
    for split in ("validation", "test"):
        own = pc.equal(queries["split"], split).to_numpy()
        if np.count_nonzero(own) > MAX_QUERIES:
            first_left_out = np.sort(places[own])[MAX_QUERIES]
            kept &= (places < first_left_out) | (~own if key != ("user_id",) else False)
    if not kept.all():
        report(f"queries: a sample of {np.count_nonzero(kept):,} of {len(kept):,}, by {' and '.join(key)}")
    return pa.concat_tables([rest, queries.filter(pa.array(kept))])


def _places(queries: pa.Table, key: tuple[str, ...]) -> Integers:
    """Return [queries] the place of each query's key among all keys, ordered by a hash."""
    texts = [
        queries[name].cast(pa.int64()).cast(pa.string()) if name == "cutoff" else queries[name]
        for name in key
    ]
    keys = pc.binary_join_element_wise(*texts, "\t").combine_chunks().dictionary_encode()
    hashes = [hashlib.md5(text.encode()).digest() for text in keys.dictionary.to_pylist()]
    places = np.empty(len(hashes), np.int64)
    places[sorted(range(len(hashes)), key=hashes.__getitem__)] = np.arange(len(hashes))
    result: Integers = places[keys.indices.to_numpy()]
    return result
