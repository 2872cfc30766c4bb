"""Sparse gradients update their rows as in AdamW, and no other rows; the learning rate is Keras's."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.train_interest_model.hyperparameters import Hyperparameters
from components.train_interest_model.loop.optimizers import (
    FusedAdamW,
    WarmupCosine,
    clip,
    make_optimizer,
    takes_rows,
)

ROWS = np.array([4, 1], np.int32)
RANDOM = np.random.default_rng(3)
SLOPES = [RANDOM.normal(size=(2, 3)).astype(np.float32) for _ in range(5)]
START = RANDOM.normal(size=(6, 3)).astype(np.float32)


def trained(sparse: bool, start: np.ndarray, name: str = "item_embeddings", decay: float = 0.5) -> np.ndarray:
    """Return a table after five steps with gradients in ROWS."""
    table = keras.Variable(start, name=name)
    settings = Hyperparameters(learning_rate=0.1, weight_decay=decay)
    optimizer = make_optimizer(settings, 10, [table] if sparse else [])
    optimizer.build([table])
    assert takes_rows(optimizer, table) == sparse
    for slope in SLOPES:
        values = tf.constant(slope.reshape((2, *start.shape[1:])) if start.ndim > 1 else slope[:, 0])
        gradient = tf.IndexedSlices(values, tf.constant(ROWS), tf.constant(start.shape))
        optimizer.apply_gradients([(gradient if sparse else tf.convert_to_tensor(gradient), table)])
    return table.numpy()


def test_the_fused_update_is_that_of_keras() -> None:
    tables = []
    for kind in (FusedAdamW, keras.optimizers.AdamW):
        table = keras.Variable(START)
        optimizer = kind(learning_rate=WarmupCosine(0.1, 0.2, 5), weight_decay=0.5, beta_2=0.99)
        optimizer.build([table])
        for slope in SLOPES:
            optimizer.apply_gradients([(tf.tile(tf.constant(slope), [3, 1]), table)])
        tables.append([variable.numpy() for variable in (table, *optimizer.variables)])
    assert np.abs(tables[0][0] - START).min() > 0.001
    for ours, theirs in zip(*tables, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


def test_rows_in_every_step_are_updated_as_in_adamw() -> None:
    np.testing.assert_allclose(trained(True, START)[ROWS], trained(False, START)[ROWS], rtol=1e-5, atol=1e-6)
    assert np.abs(trained(True, START)[ROWS] - START[ROWS]).min() > 0.01


def test_other_rows_do_not_change() -> None:
    others = [0, 2, 3, 5]
    np.testing.assert_array_equal(trained(True, START)[others], START[others])


def test_a_bias_is_not_decayed() -> None:
    start = START[:, 0].copy()
    with_decay, without = (trained(True, start, "item_bias", decay) for decay in (0.5, 0.0))
    np.testing.assert_array_equal(with_decay, without)
    assert (trained(True, START, decay=0.5)[ROWS] != trained(True, START, decay=0.0)[ROWS]).all()


def test_clip_uses_the_norm_of_sparse_and_dense_gradients() -> None:
    whole, values = tf.constant([3.0]), tf.constant([[0.0, 4.0]])
    sparse = tf.IndexedSlices(values, tf.constant([7]), tf.constant([9, 2]))
    clipped = clip([whole, sparse], 1.0)
    assert clipped[0].numpy() == pytest.approx([0.6])
    np.testing.assert_allclose(clipped[1].values, [[0.0, 0.8]], rtol=1e-6)


@pytest.mark.parametrize(("warmup", "steps"), [(0.25, 40), (0.0, 7), (1.0, 3)])
def test_the_learning_rate_equals_that_of_keras(warmup: float, steps: int) -> None:
    warmup_steps = max(1, round(warmup * steps))
    expected = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        warmup_target=0.3,
        warmup_steps=warmup_steps,
        decay_steps=max(1, steps - warmup_steps),
        alpha=0.01,
    )
    schedule = WarmupCosine(0.3, warmup, steps)
    rates = [float(schedule(tf.constant(step, tf.int64))) for step in range(steps + 3)]
    np.testing.assert_allclose(rates, [float(expected(step)) for step in range(steps + 3)], rtol=1e-5)
    assert rates[0] == 0
    assert rates[-1] == pytest.approx(0.003)
