"""Reads what users chose, from the files that an ingest writes."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.private_data.private_counts import Ints
from feature_repo.feedback import FeedbackPolicy


def read_choices(interactions: Path, items: Path, policy: FeedbackPolicy) -> tuple[Ints, Ints]:
    """Return users [n] from 0 and the rows of `items` that they chose [n], ordered by user and time.

    Choices are the positive interactions; those with other items are left out.
    """
    table = pq.read_table(interactions, columns=["user_id", "item_id", "event_type", "value", "timestamp"])
    catalog = pq.read_table(items, columns=["item_id"])["item_id"].combine_chunks()
    item = pc.index_in(table["item_id"], value_set=catalog).combine_chunks()
    table, item = table.filter(item.is_valid()), item.drop_null()
    user = table["user_id"].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    time = table["timestamp"].cast(pa.int64()).to_numpy()
    order = np.lexsort((item.to_numpy(), time, user))
    users, chosen = user[order], item.to_numpy()[order].astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(users))]) if len(users) else np.zeros(1, np.int64)
    preferences = policy.preferences(
        chosen,
        table["event_type"].take(pa.array(order)).to_pylist(),
        pc.fill_null(table["value"], float("nan")).to_numpy()[order],
        time[order],
        offsets.astype(np.int64),
    )
    positive = preferences > 0
    users, chosen = users[positive], chosen[positive]
    return np.unique(users, return_inverse=True)[1].astype(np.int64), chosen
