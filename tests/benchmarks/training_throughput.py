"""Training positions/s beside the bare matrix products of the same shapes."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from components.train_interest_model.distribution import batches, make_strategy
from components.train_interest_model.hyperparameters import Hyperparameters
from components.train_interest_model.loop import Trainer
from components.train_interest_model.model import InterestModel
from components.train_interest_model.optimizers import make_optimizer
from components.train_interest_model.sequences import Sequences
from components.train_interest_model.sizing import Statistics, resolve

# The shapes of MovieLens-1M: full windows, its catalog, its sizes.
WINDOWS, LENGTH, ITEMS = 256, 200, 3416
REPEATS = 5


def synthetic() -> Sequences:
    """Full windows of random interactions."""
    random = np.random.default_rng(0)
    count = WINDOWS * LENGTH

    def codes(size: int) -> np.ndarray[Any, Any]:
        return random.integers(0, size, count).astype(np.int32)

    return Sequences(
        offsets=np.arange(WINDOWS + 1) * LENGTH,
        items=codes(ITEMS),
        events=codes(2),
        values=codes(6),
        gaps=codes(30),
        positions=codes(9),
        attributes=np.zeros((WINDOWS, 0), np.int32),
        targets=np.full(WINDOWS, -1, np.int32),
        users=np.array([str(row) for row in range(WINDOWS)], object),
    )


def seconds(run: Callable[[], Any]) -> float:
    """The best of some runs: on a shared machine the others measure the neighbours."""
    run()
    taken = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        run()
        taken.append(time.perf_counter() - started)
    return min(taken)


def bare_products(settings: Hyperparameters) -> Callable[[], Any]:
    """Forward and backward products of one batch: input, recurrence step by step, projection, logits."""
    batch, size, units = settings.batch_size, settings.embedding_size, settings.units
    positions = batch * LENGTH
    shapes = {"x": (positions, size), "h": (positions, units), "g": (positions, 4 * units)}
    shapes |= {"kernel": (size, 4 * units), "recurrent": (units, 4 * units), "projection": (units, size)}
    a = {name: tf.random.normal(shape) for name, shape in {**shapes, "items": (ITEMS, size)}.items()}
    step, gates = tf.random.normal((batch, units)), tf.random.normal((batch, 4 * units))

    @tf.function
    def products() -> list[tf.Tensor]:
        done = [tf.matmul(a["x"], a["kernel"]), tf.matmul(a["g"], a["kernel"], transpose_b=True)]
        done += [tf.matmul(a["x"], a["g"], transpose_a=True), tf.matmul(a["h"], a["g"], transpose_a=True)]

        def recur(i: tf.Tensor, h: tf.Tensor, g: tf.Tensor) -> tuple[tf.Tensor, ...]:
            return (
                i + 1,
                tf.matmul(h, a["recurrent"])[:, :units],
                tf.tile(tf.matmul(g, a["recurrent"], transpose_b=True), [1, 4]),
            )

        done += tf.while_loop(lambda i, *_: i < LENGTH, recur, (0, step, gates), parallel_iterations=1)[1:]
        interests = tf.matmul(a["h"], a["projection"])
        done += [tf.matmul(interests, a["projection"], transpose_b=True)]
        done += [tf.matmul(a["h"], interests, transpose_a=True)]
        logits = tf.matmul(interests, a["items"], transpose_b=True)
        return [*done, tf.matmul(logits, a["items"]), tf.matmul(logits, interests, transpose_a=True)]

    return lambda: [part.numpy() for part in products()]


def main() -> None:
    sequences = synthetic()
    settings, _ = resolve(Hyperparameters(batch_size=64, embedding_size=64), Statistics.of(sequences, ITEMS))
    model = InterestModel(
        settings, ITEMS, {"event": 3, "value": 7, "gap": 30}, np.zeros((ITEMS, 0), np.float32)
    )
    counts = np.bincount(sequences.items, minlength=ITEMS)
    trainer = Trainer(model, make_optimizer(settings, 1000), make_strategy(), settings, counts)
    batch, targets = next(batches(sequences, settings.batch_size, 1, trainer.strategy))
    step = seconds(lambda: trainer._step(batch, tf.constant(float(targets)), tf.constant(0)).numpy())
    bare = seconds(bare_products(settings))
    print(f"training step {targets / step:,.0f} positions/s, {1e3 * step:.1f} ms for {targets:,}")
    print(f"bare products {targets / bare:,.0f} positions/s, {1e3 * bare:.1f} ms; ratio {bare / step:.2f}")


if __name__ == "__main__":
    main()
