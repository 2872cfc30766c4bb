"""Distributes the training: one device, all GPUs of a machine, or the workers in TF_CONFIG."""

import json
import os
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from components.train_interest_model.data.sequences import INPUTS, Sequences

SIGNATURE = {
    **{name: tf.TensorSpec([None, None], tf.int32) for name in (*INPUTS, "predicted_from")},
    "target_weights": tf.TensorSpec([None, None], tf.float32),
    "attributes": tf.TensorSpec([None, None], tf.int32),
    "lengths": tf.TensorSpec([None], tf.int32),
}


def make_strategy() -> tf.distribute.Strategy:
    """Return a strategy for the workers in TF_CONFIG, several GPUs, or one device."""
    workers = json.loads(os.environ.get("TF_CONFIG", "{}")).get("cluster", {}).get("worker", [])
    if len(workers) > 1:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Return whether this process writes the shared files."""
    resolver = strategy.cluster_resolver
    return resolver is None or resolver.task_type in (None, "chief") or resolver.task_id == 0


def batches(
    sequences: Sequences, batch_size: int, seed: int, strategy: tf.distribute.Strategy
) -> Iterator[tuple[Any, float]]:
    """Yield one epoch of global batches, split over the replicas, with the sum of their target weights."""
    dataset = tf.data.Dataset.from_generator(
        lambda: sequences.batches(batch_size, seed), output_signature=SIGNATURE
    ).prefetch(tf.data.AUTOTUNE)
    replicas = strategy.num_replicas_in_sync
    for batch in dataset:
        weight = float(tf.reduce_sum(batch["target_weights"]))
        if replicas == 1:
            yield batch, weight
        else:
            yield _spread(batch, strategy, replicas), weight


def _spread(batch: dict[str, tf.Tensor], strategy: tf.distribute.Strategy, replicas: int) -> Any:
    """Assign row r to replica r modulo their number; the batch is padded with empty rows."""
    short = -int(batch["lengths"].shape[0]) % replicas
    padded = {
        name: tf.pad(part, [[0, short], *[[0, 0]] * (part.shape.rank - 1)]) for name, part in batch.items()
    }

    def rows(context: tf.distribute.ReplicaContext) -> dict[str, tf.Tensor]:
        replica = context.replica_id_in_sync_group
        return {name: part[replica::replicas] for name, part in padded.items()}

    return strategy.experimental_distribute_values_from_function(rows)
