"""Distributes the training: one device, all GPUs of a machine, or the workers in TF_CONFIG."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import tensorflow as tf

from components.train_interest_model.data.sequences import INPUTS, Batch, Sequences

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
    replicas = strategy.num_replicas_in_sync
    for batch in _ahead(sequences.batches(batch_size, seed)):
        weight = float(batch["target_weights"].sum())
        yield batch if replicas == 1 else _spread(batch, strategy, replicas), weight


def _ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Yield the batches; another thread assembles each while the one before is used."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = thread.submit(next, batches, None)
            yield batch


def _spread(batch: Batch, strategy: tf.distribute.Strategy, replicas: int) -> Any:
    """Assign row r to replica r modulo their number; the batch is padded with empty rows."""
    short = -len(batch["lengths"]) % replicas
    padded = {name: np.pad(part, [(0, short), *[(0, 0)] * (part.ndim - 1)]) for name, part in batch.items()}

    def rows(context: tf.distribute.ReplicaContext) -> dict[str, tf.Tensor]:
        replica = context.replica_id_in_sync_group
        return {name: tf.constant(part[replica::replicas]) for name, part in padded.items()}

    return strategy.experimental_distribute_values_from_function(rows)
