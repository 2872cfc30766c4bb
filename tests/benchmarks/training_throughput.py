"""Compares training positions/s with the bare matrix products of the same shapes, and with PyTorch.

python -m tests.benchmarks.training_throughput [--torch-python PATH] [--threads 2] [--rounds 15]

PATH is a Python that can import torch; torch need not be installed in this environment:
python -m venv torchenv && torchenv/bin/pip install torch==2.13.0 && … --torch-python torchenv/bin/python
"""

import argparse
import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import tensorflow as tf

from components.row_preferences import flatten, preferences_by_user
from components.train_interest_model.auto_hyperparameters import Statistics, resolve
from components.train_interest_model.data.sequences import encode
from components.train_interest_model.data.vocabulary import Vocabulary
from components.train_interest_model.hyperparameters import Hyperparameters
from components.train_interest_model.loop.distribution_strategy import batches, make_strategy
from components.train_interest_model.loop.next_step_loss import NextStepLoss
from components.train_interest_model.loop.optimizers import make_optimizer
from components.train_interest_model.loop.trainer import Trainer
from components.train_interest_model.network.model import InterestModel
from components.user_attributes import with_attributes
from feature_repo.feedback import FeedbackPolicy
from feature_repo.table_schemas import TIMESTAMP

# The training split of MovieLens-1M's 5-core; training chooses its sizes from these statistics.
LENGTH, ITEMS = 200, 3416
MOVIELENS_1M: Final = Statistics(
    interactions=988_000, windows=8_100, items=ITEMS, mean_length=122.0, repeat_share=0.0
)
# The target for our positions/s as a share of the other's.
GOALS: Final = {"bare products": 0.75, "PyTorch LSTM": 1.3}

Step = Callable[[], Any]


def windows(count: int) -> pa.Table:
    """Return full windows of random interactions, as rows of a training set."""
    random = np.random.default_rng(0)
    total = count * LENGTH
    lists = {
        "item_ids": pa.array(random.integers(0, ITEMS, total)).cast(pa.string()),
        "event_types": pa.array(random.choice(["view", "rate"], total)),
        "values": pa.array(random.integers(1, 6, total), pa.float32()),
        "timestamps": pa.array(np.cumsum(1_000_000 * random.integers(1, 9_999, total))),
    }
    offsets = pa.array(np.arange(count + 1, dtype=np.int32) * LENGTH)
    columns = {name: pa.ListArray.from_arrays(offsets, part) for name, part in lists.items()}
    cutoffs = pa.array(total * 9_999_000_000 + np.arange(count)).cast(TIMESTAMP)
    nothing = {"cutoff": cutoffs, "target_item_id": pa.nulls(count, pa.string())}
    return with_attributes(pa.table({"user_id": [str(row) for row in range(count)], **nothing, **columns}))


def training_step(settings: Hyperparameters) -> tuple[Step, int]:
    """Return a step of the training loop on full windows, and its number of positions."""
    rows = windows(settings.batch_size // LENGTH)
    kinds, values = flatten(rows["event_types"]), flatten(rows["values"]).to_numpy()
    feedback = FeedbackPolicy()
    vocabulary = Vocabulary.build([str(item) for item in range(ITEMS)], kinds, values, feedback)
    sequences = encode(rows, vocabulary, preferences_by_user(rows, feedback))
    model = InterestModel(settings, ITEMS, vocabulary.sizes, np.zeros((ITEMS, 0), np.float32))
    counts = np.bincount(sequences.items, minlength=ITEMS)
    loss = NextStepLoss(model, counts)
    trainer = Trainer(model, make_optimizer(settings, 1000), make_strategy(), settings, loss)
    batch, weight, _ = next(batches(sequences, settings.batch_size, 1, trainer.strategy))
    step = trainer._step
    return lambda: step(batch, tf.constant(weight), tf.constant(0)).numpy(), batch["items"].size


def bare_products(settings: Hyperparameters) -> Step:
    """Return every matrix product of a step, forward and backward, without anything else.

    The input, the projection and the logits take one product each; so do the history mean and both matrices
    that project it. The recurrence takes one for each position forward and one backward, each of which needs
    the one before, and one for the gradient of its kernel.
    """
    positions, size, units = settings.batch_size, settings.embedding_size, settings.units
    batch = positions // LENGTH
    shapes = {"x": (positions, size), "h": (positions, units), "g": (positions, 4 * units)}
    shapes |= {"kernel": (size, 4 * units), "recurrent": (units, 4 * units), "projection": (units, size)}
    a = {name: tf.random.normal(shape) for name, shape in {**shapes, "items": (ITEMS, size)}.items()}
    step, gates = tf.random.normal((batch, units)), tf.random.normal((batch, 4 * units))
    decays, kernel = tf.random.normal((LENGTH, LENGTH)), tf.random.normal((size, size))

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
        if settings.history_mean != "off":
            windows = tf.reshape(a["x"], (batch, LENGTH, size))
            done += [tf.matmul(decays, windows), tf.matmul(decays, windows, transpose_a=True)]
        for _ in range(2 if settings.history_mean == "projected" else 0):
            done += [tf.matmul(a["x"], kernel), tf.matmul(interests, kernel, transpose_b=True)]
            done += [tf.matmul(a["x"], interests, transpose_a=True)]
        done += [tf.matmul(interests, a["projection"], transpose_b=True)]
        done += [tf.matmul(a["h"], interests, transpose_a=True)]
        logits = tf.matmul(interests, a["items"], transpose_b=True)
        return [*done, tf.matmul(logits, a["items"]), tf.matmul(logits, interests, transpose_a=True)]

    return lambda: [part.numpy() for part in products()]


@contextmanager
def torch_step(python: Path, settings: Hyperparameters, threads: int) -> Iterator[Step]:
    """Give a step of the plain PyTorch LSTM, in a process of its own that waits between steps."""
    sizes = (settings.batch_size // LENGTH, LENGTH, ITEMS, settings.embedding_size, settings.units, threads)
    command = [str(python), str(Path(__file__).with_name("torch_lstm.py")), *map(str, sizes)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        pipe, answers = process.stdin, process.stdout

        def step() -> None:
            pipe.write("step\n")
            pipe.flush()
            if not answers.readline():
                raise SystemExit(f"{python} can't train with torch, see above")

        yield step
        pipe.close()


def best_seconds(steps: dict[str, Step], rounds: int) -> dict[str, float]:
    """Return the best time of each step; steps take turns, so that other load affects all of them."""
    best = dict.fromkeys(steps, float("inf"))
    for round_ in range(rounds + 1):
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            if round_:  # the first round traces and compiles
                best[name] = min(best[name], time.perf_counter() - started)
    return best


def show(seconds: dict[str, float], positions: int) -> None:
    ours = seconds["training step"]
    print(f"{'':16}{'ms a step':>10}{'positions/s':>13}{'ours / its':>12}{'target':>8}")
    for name, taken in seconds.items():
        line = f"{name:16}{1e3 * taken:10.1f}{positions / taken:13,.0f}"
        print(line + (f"{taken / ours:12.2f}{GOALS[name]:8.2f}" if name in GOALS else ""))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--torch-python", type=Path, help="a Python that can import torch")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    settings, _ = resolve(Hyperparameters(), MOVIELENS_1M)
    step, positions = training_step(settings)
    steps = {"training step": step, "bare products": bare_products(settings)}
    python = arguments.torch_python or (Path(sys.executable) if importlib.util.find_spec("torch") else None)
    print(
        f"{settings.batch_size // LENGTH} windows of {LENGTH}, {ITEMS:,} items, "
        f"embedding {settings.embedding_size}, {settings.units} units, "
        f"{arguments.threads} threads, best of {arguments.rounds} rounds"
    )
    if python is None:
        print("torch is not installed: see --help for a comparison with PyTorch")
        show(best_seconds(steps, arguments.rounds), positions)
        return
    with torch_step(python, settings, arguments.threads) as compared:
        show(best_seconds({**steps, "PyTorch LSTM": compared}, arguments.rounds), positions)


if __name__ == "__main__":
    main()
