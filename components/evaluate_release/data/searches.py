"""Reads the searches by words that users made before the queries."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from feature_repo.interaction import Interaction
from feature_repo.searches import Searches


def read_searches(interactions: Path, user_ids: Sequence[str], cutoffs: NDArray[np.int64]) -> list[Searches]:
    """Return [queries] the user's last searches before the cutoff, as a request at that time would read them.

    Args:
        interactions: the Parquet file of valid interactions.
        user_ids: [queries]
        cutoffs: [queries] µs since the epoch.
    """
    of_users = pc.field("user_id").isin(pa.array(sorted(set(user_ids)), pa.string()))
    rows = pq.read_table(
        interactions,
        columns=["user_id", "query", "timestamp"],
        filters=pc.field("item_id").is_null() & pc.field("query").is_valid() & of_users,
    )
    by_user: dict[str, list[Interaction]] = {}
    micros = rows["timestamp"].cast(pa.int64())
    columns = (column.to_pylist() for column in (rows["user_id"], rows["query"], micros))
    for user_id, query, timestamp in zip(*columns, strict=True):
        search = Interaction("", user_id, "", "", timestamp, query=query)
        by_user.setdefault(user_id, []).append(search)
    return [
        Searches().extend(search for search in by_user.get(user_id, ()) if search.timestamp < cutoff)
        for user_id, cutoff in zip(user_ids, cutoffs.tolist(), strict=True)
    ]
