"""Distributes the training: one device, all GPUs of a machine, or several workers."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.train_interest_model.data.sequences import INPUTS, Sequences

# A batch, the sum of its target weights, and the number of its interactions.
GlobalBatch = tuple[Any, float, int]

SIGNATURE = {
    **{name: tf.TensorSpec([None, None], tf.int32) for name in (*INPUTS, "predicted_from")},
    "target_weights": tf.TensorSpec([None, None], tf.float32),
    "attributes": tf.TensorSpec([None, None], tf.int32),
    "lengths": tf.TensorSpec([None], tf.int32),
}


def make_strategy(addresses: Sequence[str] = (), worker: int = 0) -> tf.distribute.Strategy:
    """Return a strategy for several workers, several GPUs, or one device.

    Args:
        addresses: host:port of each worker, the chief first. This process listens at its own one, on every
            address of its machine.
        worker: which of them this process is.
    """
    if len(addresses) > 1:
        cluster = tf.train.ClusterSpec({"worker": list(addresses)})
        resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
            cluster, task_type="worker", task_id=worker, rpc_layer="grpc"
        )
        return tf.distribute.MultiWorkerMirroredStrategy(resolver)
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def has_several_workers(strategy: tf.distribute.Strategy) -> bool:
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def from_chief(strategy: tf.distribute.Strategy, values: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Return the chief's values; every worker calls this with values of the same shapes and types."""

    def sent(*own: tf.Tensor) -> list[tf.Tensor]:
        context = tf.distribute.get_replica_context()
        is_first = tf.equal(context.replica_id_in_sync_group, 0)
        parts = [tf.where(is_first, value, tf.zeros_like(value)) for value in own]
        # A sum without elements ends the process with SIGSEGV.
        return [
            context.all_reduce(tf.distribute.ReduceOp.SUM, part) if part.shape.num_elements() else part
            for part in parts
        ]

    received = tf.function(lambda *own: strategy.run(sent, args=own), autograph=False)(*values)
    return [strategy.experimental_local_results(value)[0] for value in received]


def batches(
    sequences: Sequences, batch_size: int, seed: int, strategy: tf.distribute.Strategy
) -> Iterator[GlobalBatch]:
    """Yield one epoch of global batches, of which this process reads the rows of its replicas alone.

    With each batch come the sum of the target weights of all its rows, and the number of its interactions.
    """

    def assembled() -> Iterator[GlobalBatch]:
        for rows, width in sequences.batch_rows(batch_size, seed):
            weight, count = float(sequences.row_weights[rows].sum()), int(sequences.lengths[rows].sum())
            yield _of_replicas(sequences, rows, width, strategy), weight, count

    return _ahead(assembled())


def _ahead(batches: Iterator[GlobalBatch]) -> Iterator[GlobalBatch]:
    """Yield the batches; another thread assembles each while the one before is used."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = thread.submit(next, batches, None)
            yield batch


def _of_replicas(
    sequences: Sequences, rows: NDArray[np.int64], width: int, strategy: tf.distribute.Strategy
) -> Any:
    """Give row r of the batch to replica r modulo their number; empty rows fill up to an equal number."""
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return sequences.pad(rows, width)
    count = -(-len(rows) // replicas)

    def part(context: tf.distribute.ReplicaContext) -> dict[str, tf.Tensor]:
        batch = sequences.pad(rows[context.replica_id_in_sync_group :: replicas], width)
        short = count - len(batch["lengths"])
        padding = {name: [(0, short), *[(0, 0)] * (array.ndim - 1)] for name, array in batch.items()}
        return {name: tf.constant(np.pad(array, padding[name])) for name, array in batch.items()}

    return strategy.experimental_distribute_values_from_function(part)
