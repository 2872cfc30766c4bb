"""The LSTM of Hochreiter & Schmidhuber 1997 for CPUs, with an explicit gradient, on request compiled by XLA.

Keras's gradient runs forty operations a step, and sums each kernel's gradient step by step. Here everything
that does not depend on the previous step is one matrix product over all positions. XLA fuses the rest.
"""

from collections.abc import Callable
from typing import Any, Final

import tensorflow as tf

from feature_repo.contract import MAX_HISTORY

# XLA needs seconds to compile each shape, so lengths and rows are padded to a few sizes. Even, see _twice.
_STEPS: Final = MAX_HISTORY // 5
_ROWS: Final = 8

Gradients = tuple[tf.Tensor, ...]


def lstm(
    inputs: tf.Tensor,
    h: tf.Tensor,
    c: tf.Tensor,
    kernel: tf.Tensor,
    recurrent: tf.Tensor,
    bias: tf.Tensor,
    compiled: bool,
) -> tf.Tensor:
    """Return the outputs at every position, equal to those of keras.layers.LSTM.

    Args:
        inputs: [batch, length, features] float32.
        h, c: [batch, units] float32, the initial state.
        kernel, recurrent, bias: [features, 4 · units], [units, 4 · units], [4 · units], in Keras's order:
            input, forget, candidate, output.
        compiled: with XLA.

    Returns:
        [batch, length, units] float32.
    """
    rows, length = tf.unstack(tf.shape(inputs)[:2])
    rows_short, short = (-rows % _row_step(rows), -length % _STEPS) if compiled else (0, length % 2)
    padded = tf.pad(tf.transpose(inputs, [1, 0, 2]), [[0, short], [0, rows_short], [0, 0]])
    h, c = (tf.pad(part, [[0, rows_short], [0, 0]]) for part in (h, c))
    outputs: tf.Tensor = (_compiled_lstm if compiled else _lstm)(padded, h, c, kernel, recurrent, bias)
    return tf.transpose(outputs[:length, :rows], [1, 0, 2])


def _row_step(rows: tf.Tensor) -> tf.Tensor:
    """Return a quarter of the next lower power of two, at least _ROWS: little padding, and few shapes."""
    octave = tf.math.log(tf.cast(tf.maximum(rows, 1), tf.float32)) / tf.math.log(2.0)
    return tf.maximum(_ROWS, tf.cast(2.0 ** (tf.floor(octave) - 2), tf.int32))


def _forward(
    x: tf.Tensor, h: tf.Tensor, c: tf.Tensor, kernel: tf.Tensor, recurrent: tf.Tensor, bias: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return outputs and cells [length, batch, units], and activated gates [length, batch, 4 · units]."""
    length, rows, features = tf.unstack(tf.shape(x))
    units = h.shape[1]
    products = tf.reshape(tf.matmul(tf.reshape(x, [-1, features]), kernel) + bias, [length, rows, 4 * units])

    def step(t: tf.Tensor, h: tf.Tensor, c: tf.Tensor, *arrays: Any) -> tuple[Any, ...]:
        i, f, a, o = tf.split(products[t] + tf.matmul(h, recurrent), 4, axis=1)
        i, f, a, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(a), tf.sigmoid(o)
        c = f * c + i * a
        h = o * tf.tanh(c)
        values = (h, c, tf.concat([i, f, a, o], axis=1))
        return (t + 1, h, c, *(array.write(t, value) for array, value in zip(arrays, values, strict=True)))

    arrays = [
        tf.TensorArray(tf.float32, length, element_shape=[None, size]) for size in (units, units, 4 * units)
    ]
    _, _, _, *arrays = tf.while_loop(
        lambda t, *_: t < length, _twice(step), (0, h, c, *arrays), parallel_iterations=1
    )
    outputs, cells, gates = (array.stack() for array in arrays)
    return outputs, cells, gates


def _backward(
    upstream: tf.Tensor,
    x: tf.Tensor,
    h: tf.Tensor,
    c: tf.Tensor,
    kernel: tf.Tensor,
    recurrent: tf.Tensor,
    outputs: tf.Tensor,
    cells: tf.Tensor,
    gates: tf.Tensor,
) -> Gradients:
    """Return the gradients by x, h, c, kernel, recurrent and bias."""
    length, units = tf.shape(x)[0], h.shape[1]
    back = tf.transpose(recurrent)  # transposed once: XLA is six times slower with the original layout
    before = tf.concat([c[None], cells[:-1]], axis=0)

    def step(t: tf.Tensor, dh: tf.Tensor, dc: tf.Tensor, errors: Any) -> tuple[Any, ...]:
        i, f, a, o = tf.split(gates[t], 4, axis=1)
        dh, squashed = dh + upstream[t], tf.tanh(cells[t])
        dc += dh * o * (1 - squashed * squashed)
        by_gate = [
            dc * a * i * (1 - i),
            dc * before[t] * f * (1 - f),
            dc * i * (1 - a * a),
            dh * squashed * o * (1 - o),
        ]
        error = tf.concat(by_gate, axis=1)
        return t - 1, tf.matmul(error, back), dc * f, errors.write(t, error)

    errors = tf.TensorArray(tf.float32, length, element_shape=[None, 4 * units])
    nothing = tf.zeros_like(h)
    _, dh, dc, errors = tf.while_loop(
        lambda t, *_: t >= 0, _twice(step), (length - 1, nothing, nothing, errors), parallel_iterations=1
    )
    error = tf.reshape(errors.stack(), [-1, 4 * units])
    h_before = tf.reshape(tf.concat([h[None], outputs[:-1]], axis=0), [-1, units])
    return (
        tf.reshape(tf.matmul(error, kernel, transpose_b=True), tf.shape(x)),
        dh,
        dc,
        tf.matmul(tf.reshape(x, [-1, tf.shape(x)[2]]), error, transpose_a=True),
        tf.matmul(h_before, error, transpose_a=True),
        tf.reduce_sum(error, axis=0),
    )


def _twice(step: Callable[..., tuple[Any, ...]]) -> Callable[..., tuple[Any, ...]]:
    """Run two steps per loop iteration, which halves the loop's overhead."""
    return lambda *state: step(*step(*state))


def _with_gradient(forward: Callable[..., Gradients], backward: Callable[..., Gradients]) -> Any:
    """Return the LSTM on sequences [length, batch, …], in which a step's rows are contiguous."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(x: tf.Tensor, *state_and_weights: tf.Tensor) -> tuple[tf.Tensor, Callable[..., Gradients]]:
        outputs, cells, gates = forward(x, *state_and_weights)
        h, c, kernel, recurrent, _ = state_and_weights
        return outputs, lambda upstream: backward(upstream, x, h, c, kernel, recurrent, outputs, cells, gates)

    return run


_lstm = _with_gradient(_forward, _backward)
_compiled_lstm = _with_gradient(
    *(tf.function(function, jit_compile=True, autograph=False) for function in (_forward, _backward))
)
