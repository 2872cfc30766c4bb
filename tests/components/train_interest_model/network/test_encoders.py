"""Every encoder is causal, and its incremental state equals a run over the whole sequence."""

import numpy as np
import pytest
import tensorflow as tf

from components.train_interest_model.network.encoders import Encoder, make_encoder
from components.train_interest_model.network.history_mean import DECAY, WithHistoryMean
from components.train_interest_model.network.lstm_cpu_kernel import _row_step
from components.train_interest_model.network.members import Members

KINDS = (
    "lstm",
    "gru",
    "rnn",
    "cnn",
    "lstm with history mean",
    "cnn with history mean",
    "lstm members",
    "gru members with history mean",
)


def built(kind: str) -> Encoder:
    tf.keras.utils.set_random_seed(1)
    encoder = make_encoder(kind.split()[0], units=6, layers=3)
    if "members" in kind:  # five, of one input number each
        names = [f"encoder_{member}" for member in range(5)]
        encoder = Members([make_encoder(kind.split()[0], 2, 3, name=name) for name in names], 1)
    if kind.endswith("mean"):
        encoder = WithHistoryMean(encoder, 5)
    encoder.build((None, None, 5))
    return encoder


@pytest.mark.parametrize("kind", KINDS)
def test_an_output_does_not_depend_on_later_inputs(kind: str) -> None:
    encoder = built(kind)
    inputs = np.random.default_rng(0).normal(size=(2, 20, 5)).astype(np.float32)
    changed = inputs.copy()
    changed[:, 12:] += 1
    empty = tf.zeros([2, encoder.state_size])
    before, after = encoder(inputs, empty).numpy(), encoder(changed, empty).numpy()
    np.testing.assert_allclose(before[:, :12], after[:, :12], atol=1e-6)
    assert np.abs(before[:, 12] - after[:, 12]).max() > 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_advance_equals_the_whole_sequence(kind: str) -> None:
    encoder = built(kind)
    inputs = np.random.default_rng(0).normal(size=(3, 40, 5)).astype(np.float32)
    state = tf.constant(np.random.default_rng(1).normal(size=(3, encoder.state_size)).astype(np.float32))
    if kind.endswith("mean"):  # the weights of a mean are above zero
        state = tf.concat([state[:, :-1], tf.abs(state[:, -1:])], axis=1)
    start = state[:, : encoder.units].numpy()
    outputs = encoder(inputs, state).numpy()
    done = np.zeros(3, int)
    for lengths in ([7, 0, 1], [1, 25, 0], [20, 2, 3]):
        width = max(lengths)
        part = np.zeros((3, width, 5), np.float32)
        for row, length in enumerate(lengths):
            part[row, :length] = inputs[row, done[row] : done[row] + length]
        advanced, state = encoder.advance(tf.constant(part), state, tf.constant(lengths))
        for row, length in enumerate(lengths):
            expected = outputs[row, done[row] : done[row] + length]
            np.testing.assert_allclose(advanced[row, :length], expected, atol=1e-5)
        done += lengths
        for row in range(3):
            expected = outputs[row, done[row] - 1] if done[row] else start[row]
            np.testing.assert_allclose(state[row, : encoder.units], expected, atol=1e-5)


def test_the_history_mean_is_that_of_the_weighted_inputs() -> None:
    encoder = built("lstm with history mean")
    encoder.kernel.assign([1.0, 0, 0, 0, 0])
    inputs = np.random.default_rng(0).normal(size=(1, 3, 5)).astype(np.float32)
    outputs = encoder(inputs, encoder.start(tf.zeros([1, encoder.start_size]))).numpy()
    weighted = inputs[0] / (1 + np.exp(-inputs[0, :, :1] - 2))
    weights = DECAY ** np.array([2, 1, 0])
    np.testing.assert_allclose(outputs[0, 2, 6:11], weights @ weighted / weights.sum(), atol=1e-6)
    np.testing.assert_allclose(outputs[0, :, 11:], weighted, atol=1e-6)


@tf.function
def _with_gradients(
    encoder: Encoder, inputs: tf.Tensor, state: tf.Tensor, upstream: tf.Tensor
) -> list[tf.Tensor]:
    weights = [variable.value for variable in encoder.trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch([inputs, state])
        outputs = encoder(inputs, state)
        total = tf.reduce_sum(outputs * upstream)
    return [outputs, *tape.gradient(total, [inputs, state, *weights])]


@pytest.mark.parametrize(
    ("rows", "length", "compiled"), [(1, 1, False), (5, 37, False), (1, 1, True), (70, 41, True)]
)
def test_the_lstm_for_cpus_equals_keras(rows: int, length: int, compiled: bool) -> None:
    """Outputs, and gradients by inputs, initial state and weights."""
    generator = np.random.default_rng(2)
    inputs, state, upstream = (
        tf.constant(generator.normal(size=shape).astype(np.float32))
        for shape in ((rows, length, 5), (rows, 12), (rows, length, 6))
    )
    results = []
    for on_cpu in (True, False):
        tf.keras.utils.set_random_seed(1)
        encoder = make_encoder("lstm", units=6, layers=1, on_cpu=on_cpu, compiled=compiled)
        encoder.build((None, None, 5))
        results.append(_with_gradients(encoder, inputs, state, upstream))
    assert len(results[0]) == 6
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_many_batch_shapes_are_padded_to_few() -> None:
    padded = {(rows + -rows % int(_row_step(tf.constant(rows)))) for rows in range(1, 1281)}
    assert len(padded) < 30
    assert all(min(size for size in padded if size >= rows) <= 1.25 * rows + 8 for rows in range(1, 1281))
