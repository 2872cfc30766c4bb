"""Finds the items that a user dislikes by an interaction older than the history: they are not answered."""

from typing import Final

import numpy as np
import pyarrow as pa

from components.build_features.labelled_users import LabelledUsers, ranks
from feature_repo.contract import DISLIKED_BEFORE, MAX_DISLIKED_BEFORE, MAX_HISTORY
from feature_repo.opinions import OPINION

SCHEMA: Final = pa.schema([("user_id", pa.string()), (DISLIKED_BEFORE, pa.list_(pa.string()))])


def find_disliked_before(
    users: LabelledUsers, max_history: int = MAX_HISTORY, max_items: int = MAX_DISLIKED_BEFORE
) -> pa.Table:
    """Return user_id and disliked_before: the `max_items` items that were disliked last, newest first.

    The user's last opinion about each of them is a dislike, and `max_history` interactions or more follow it.
    A user without such items has no row.
    """
    ages = users.offsets[1:][users.owners] - 1 - np.arange(len(users.timestamps))
    positions = np.flatnonzero((users.preferences <= -OPINION) & (ages >= max_history))
    positions = positions[np.lexsort((ages[positions], users.owners[positions]))]
    positions = positions[ranks(users.owners[positions]) < max_items]
    owners, counts = np.unique(users.owners[positions], return_counts=True)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    items = pa.ListArray.from_arrays(pa.array(offsets), users.item_ids.take(pa.array(positions)))
    return pa.table([users.user_ids.take(pa.array(owners)), items], schema=SCHEMA)
