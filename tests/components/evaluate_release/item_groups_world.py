"""A data set with five item groups of forty items; every user has chosen items of one group only."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.evaluate_release.data.held_out import HeldOut
from components.evaluate_release.evaluation import assemble
from components.train_collaborative_filters.fitting import fit
from feature_repo.contract import SIGNATURES
from feature_repo.feedback import FeedbackPolicy
from feature_repo.table_schemas import TIMESTAMP, TRAINING_SET
from serving.release.ranking_data import Ranking
from tests.components.evaluate_release.ring_world import MINUTE, START, row

GROUPS, ITEMS, USERS, LENGTH = 5, 200, 60, 28
BLEND = {"features": ["interest"], "weights": [1.0], "means": [0.0], "scales": [1.0]}


def chosen_by(user: int) -> list[int]:
    """Return a user's items, oldest first; item n is in group n modulo 5."""
    return [user % GROUPS + GROUPS * ((7 * user + step) % (ITEMS // GROUPS)) for step in range(LENGTH)]


def training_set() -> pa.Table:
    """Return the rows of the leave-one-out protocol."""
    rows = []
    for user in range(USERS):
        items = chosen_by(user)
        times = [START + user * MINUTE + step for step in range(LENGTH)]
        rows.append(row(user, items, times, times[-1] + 1, "all"))
        rows.append(row(user, items[:-2], times[:-2], times[-2], "train"))
        rows.append(row(user, items[:-2], times[:-2], times[-2], "validation", items[-2]))
        rows.append(row(user, items[:-1], times[:-1], times[-1], "test", items[-1]))
    return pa.Table.from_pylist(rows, TRAINING_SET)


def item_table(categories: bool = True) -> pa.Table:
    return pa.table(
        {
            "item_id": [f"i{item}" for item in range(ITEMS)],
            "title": [f"Item {item}" for item in range(ITEMS)],
            "categories": [[f"group {item % GROUPS}"] if categories else [] for item in range(ITEMS)],
            "domain": pa.nulls(ITEMS, pa.string()),
            "available_from": pa.nulls(ITEMS, TIMESTAMP),
            "available_until": pa.nulls(ITEMS, TIMESTAMP),
        }
    )


def save_model(directory: Path) -> None:
    """Save a model whose interest is the group of the newest item."""
    import tensorflow as tf

    ids = tf.constant([f"i{item}" for item in range(ITEMS)])

    class Newest(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            values = tf.range(ITEMS, dtype=tf.int64)
            self.index = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(ids, values), -1)

        def serve(self, item_ids, timestamps, **others):
            last = tf.argmax(timestamps, axis=1)
            item = tf.gather(self.index.lookup(item_ids), last, axis=1, batch_dims=1)
            interest = tf.one_hot(tf.where(item < 0, item, item % GROUPS), GROUPS)
            return {"interest": interest, "state": interest, "as_of": timestamps[:, :1]}

    newest, inputs = Newest(), SIGNATURES["serving_default"]["inputs"]
    specs = {name: tf.TensorSpec([None, None], dtype, name=name) for name, dtype in inputs.items()}
    serve = tf.function(newest.serve).get_concrete_function(**specs)
    tf.saved_model.save(newest, str(directory / "saved_model"), signatures={"serving_default": serve})
    embeddings = np.eye(GROUPS, dtype=np.float32)[np.arange(ITEMS) % GROUPS]
    np.save(directory / "item_embeddings.npy", embeddings)


def build(root: Path, categories: bool = True) -> tuple[Ranking, Path, HeldOut]:
    """Return the ranking with fitted filters, the SavedModel's directory, and the held-out data."""
    model = root / "interest_model"
    model.mkdir(parents=True)
    save_model(model)
    pq.write_table(training_set(), root / "training_set.parquet")
    pq.write_table(item_table(categories), root / "items.parquet")
    fit(root / "training_set.parquet", root / "items.parquet", "train", root / "filters", FeedbackPolicy())
    ranking = assemble(model, root / "filters", root / "items.parquet")
    return (
        ranking,
        model / "saved_model",
        HeldOut.read(root / "training_set.parquet", ranking.catalog, FeedbackPolicy()),
    )
