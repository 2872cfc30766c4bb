"""Checks that the targets of the held-out queries are positive interactions."""

import pyarrow as pa
import pyarrow.compute as pc

from components.errors import StepError
from components.row_preferences import flatten, preferences_by_user
from feature_repo.feedback import FeedbackPolicy
from serving.release.arrays import FloatArray

KEYS = ("user_id", "cutoff", "target_item_id")


def check_targets(training_set: pa.Table, feedback: FeedbackPolicy) -> None:
    """Raise StepError if a query's target is not a positive interaction at its cutoff.

    Args:
        training_set: sorted by user and cutoff; its split "all" has each interaction once, except those that
            a step larger than a window leaves out. Such a target is not checked.
    """
    queries = training_set.filter(pc.is_in(training_set["split"], pa.array(["validation", "test"])))
    queries = queries.select(KEYS).set_column(1, "cutoff", queries["cutoff"].cast(pa.int64()))
    interactions, preferences = _interactions(training_set, queries["user_id"], feedback)
    wrong = queries.join(interactions.filter(pa.array(preferences > 0)), KEYS, join_type="left anti")
    wrong = wrong.join(interactions, KEYS, join_type="left semi")
    if len(wrong):
        first = wrong.sort_by([(name, "ascending") for name in KEYS]).slice(0, 1).to_pylist()[0]
        raise StepError(
            f"{len(wrong):,} of {len(queries):,} held-out interactions are not positive, such as item "
            f"{first['target_item_id']!r} of user {first['user_id']!r}: the training set was built with "
            "another feedback policy; run 'Build features' again"
        )


def _interactions(
    training_set: pa.Table, users: pa.ChunkedArray, feedback: FeedbackPolicy
) -> tuple[pa.Table, FloatArray]:
    """Return the interactions of `users`, with the columns KEYS, and their preferences."""
    rows = training_set.filter(
        pc.and_(pc.equal(training_set["split"], "all"), pc.is_in(training_set["user_id"], users.unique()))
    )
    owners = rows["user_id"].combine_chunks().take(pc.list_parent_indices(rows["item_ids"].combine_chunks()))
    timestamps, item_ids = flatten(rows["timestamps"]).cast(pa.int64()), flatten(rows["item_ids"])
    table = pa.table(dict(zip(KEYS, (owners, timestamps, item_ids), strict=True)))
    return table, preferences_by_user(rows, feedback)
