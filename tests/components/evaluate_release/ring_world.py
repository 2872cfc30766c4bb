"""A data set with an obvious answer: items form a ring, and each user visits one after the other."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.sparse import csr_array

from feature_repo.table_schemas import TIMESTAMP, TRAINING_SET
from serving.release.collaborative_filters import CollaborativeFilters
from serving.release.ranking_data import write_ranking

N_ITEMS, N_USERS, LENGTH = 40, 120, 12
MINUTE = 60_000_000
START = 1_700_000_000_000_000  # µs


@dataclass(frozen=True)
class World:
    """The paths of a run's artifacts."""

    root: Path

    @property
    def training_set(self) -> Path:
        return self.root / "training_set.parquet"

    @property
    def items(self) -> Path:
        return self.root / "items.parquet"

    @property
    def users(self) -> Path:
        return self.root / "users.parquet"

    @property
    def filters(self) -> Path:
        return self.root / "collaborative_filters"

    @property
    def interest_model(self) -> Path:
        return self.root / "interest_model"


def row(
    user: int, items: list[int], times: list[int], cutoff: int, split: str, target: int | None = None
) -> dict[str, Any]:
    return {
        "user_id": f"u{user:03d}",
        "cutoff": cutoff,
        "split": split,
        "target_item_id": None if target is None else f"i{target}",
        "interaction_ids": [f"u{user}-{time}" for time in times],
        "item_ids": [f"i{item}" for item in items],
        "event_types": ["view"] * len(items),
        "values": [float("nan")] * len(items),
        "timestamps": times,
    }


def training_rows() -> list[dict[str, Any]]:
    """Return the rows of the leave-one-out protocol: the last item is the test target."""
    rows = []
    for user in range(N_USERS):
        items = [(user + step) % N_ITEMS for step in range(LENGTH)]
        times = [START + user * MINUTE + step for step in range(LENGTH)]
        rows.append(row(user, items, times, times[-1] + 1, "all"))
        rows.append(row(user, items[:-2], times[:-2], times[-2], "train"))
        rows.append(row(user, items[:-2], times[:-2], times[-2], "validation", items[-2]))
        rows.append(row(user, items[:-1], times[:-1], times[-1], "test", items[-1]))
    return rows


def item_table() -> pa.Table:
    empty = pa.nulls(N_ITEMS, TIMESTAMP)
    return pa.table(
        {
            "item_id": [f"i{item}" for item in range(N_ITEMS)],
            "title": [None if item == 3 else f"Item <{item}>" for item in range(N_ITEMS)],
            "categories": [["low" if item < N_ITEMS // 2 else "high"] for item in range(N_ITEMS)],
            "domain": pa.nulls(N_ITEMS, pa.string()),
            "available_from": empty,
            "available_until": empty,
        }
    )


def user_table() -> pa.Table:
    """Return users with the attribute group: "a" for every third user, "b" for the others."""
    return pa.table(
        {
            "user_id": [f"u{user:03d}" for user in range(N_USERS)],
            "group": ["b" if user % 3 else "a" for user in range(N_USERS)],
        }
    )


def ring_filters(step: int) -> CollaborativeFilters:
    """Return filters in which each item is followed by the one `step` further on."""
    items = np.arange(N_ITEMS)
    follows = csr_array((np.ones(N_ITEMS, np.float32), (items, (items + step) % N_ITEMS)))
    users = csr_array(np.full((2, N_ITEMS), N_ITEMS**-0.5, np.float32))
    popularity = np.ones(N_ITEMS, np.float32)
    return CollaborativeFilters(follows, follows, users, popularity=popularity, trend=popularity.copy())


def save_ring_model(directory: Path, step: int) -> None:
    """Save a model whose interest is the one-hot vector of the item `step` after the last one."""
    import tensorflow as tf

    ids = tf.constant([f"i{item}" for item in range(N_ITEMS)])

    class Ring(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            values = tf.range(N_ITEMS, dtype=tf.int64)
            self.index = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(ids, values), -1)

        @tf.function(
            input_signature=[
                tf.TensorSpec([None, None], tf.string, name="item_ids"),
                tf.TensorSpec([None, None], tf.string, name="event_types"),
                tf.TensorSpec([None, None], tf.float32, name="values"),
                tf.TensorSpec([None, None], tf.int64, name="timestamps"),
                tf.TensorSpec([None, None], tf.string, name="attributes"),
                tf.TensorSpec([None, None], tf.float32, name="attribute_values"),
            ]
        )
        def serve(self, item_ids, event_types, values, timestamps, attributes, attribute_values):
            last = tf.argmax(tf.where(item_ids == "", tf.zeros_like(timestamps), timestamps), axis=1)
            item = tf.gather(self.index.lookup(item_ids), last, axis=1, batch_dims=1)
            interest = tf.one_hot(tf.where(item < 0, item, (item + step) % N_ITEMS), N_ITEMS)
            return {"interest": interest, "state": interest, "as_of": timestamps[:, :1]}

    ring = Ring()
    tf.saved_model.save(ring, str(directory / "saved_model"), signatures={"serving_default": ring.serve})
    np.save(directory / "item_embeddings.npy", np.eye(N_ITEMS, dtype=np.float32))


def build_world(root: Path, step: int) -> World:
    world = World(root)
    world.interest_model.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(training_rows(), TRAINING_SET), world.training_set)
    pq.write_table(item_table(), world.items)
    pq.write_table(user_table(), world.users)
    ring_filters(step).save(world.filters)
    save_ring_model(world.interest_model, step)
    settings = {"hyperparameters": {"seen_items": "filter"}}
    (world.interest_model / "interest_model.json").write_text(json.dumps(settings))
    return world


def publish(world: World, blend: dict[str, Any], root: Path, **about: Any) -> str:
    """Publish the run as version 3, and make it live."""
    ranking, interest = root / "ranking" / "3", root / "interest" / "3"
    ranking.mkdir(parents=True)
    shutil.copytree(world.interest_model / "saved_model", interest)
    embeddings = np.load(world.interest_model / "item_embeddings.npy")
    write_ranking(
        ranking,
        pq.read_table(world.items),
        embeddings,
        CollaborativeFilters.load(world.filters),
        blend,
        interest,
        **about,
    )
    (root / "live.json").write_text('{"version": 3}')
    return str(root)
