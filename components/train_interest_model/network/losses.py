"""Softmax losses: over the full catalog, or sampled with the logQ correction for a large catalog."""

from collections.abc import Callable
from typing import Any, Final

import tensorflow as tf

# A block of logits of this size fits in a CPU's cache; all logits [positions, items] would not.
BLOCK_LOGITS: Final = 1 << 21

# Logit that excludes an item from a softmax; -inf would make the gradient NaN.
EXCLUDED: Final = -1e9

Softmax = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]
Gradients = tuple[tf.Tensor, tf.Tensor, tf.Tensor]
Backward = Callable[[tf.Tensor], Gradients]


def full_softmax(
    interests: tf.Tensor,
    vectors: tf.Tensor,
    bias: tf.Tensor,
    targets: tf.Tensor,
    weights: tf.Tensor,
    xla: bool = True,
) -> tf.Tensor:
    """Return the weighted sum of the targets' cross-entropies against all items.

    Loss and gradient are computed in one pass over blocks of positions, so the logits are never all in
    memory (the idea of "Cut Your Losses in Large-Vocabulary Language Models", Wijmans et al., 2024).

    Args:
        interests: [n, size] float32.
        vectors: [items, size] float32.
        bias: [items] float32.
        targets: [n] int32 item indexes.
        weights: [n] float32.
    """
    block = _block_size(int(vectors.shape[0]))

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def loss_of(h: tf.Tensor, e: tf.Tensor, b: tf.Tensor) -> tuple[tf.Tensor, Backward]:
        loss, dh, de, db = _blocked_cross_entropy(h, e, b, targets, weights, block, _compiled(xla))

        def backward(upstream: tf.Tensor) -> Gradients:
            return upstream * dh, upstream * de, upstream * db

        return loss, backward

    return loss_of(interests, vectors, bias)


def sampled_softmax(
    interests: tf.Tensor,
    vectors: tf.Tensor,
    bias: tf.Tensor,
    targets: tf.Tensor,
    weights: tf.Tensor,
    negatives: tf.Tensor,
    log_expected: tf.Tensor,
) -> tf.Tensor:
    """Return the weighted sum of the cross-entropies against the target and shared sampled negatives.

    The target is always in the sample, so it is not corrected ("Correcting the LogQ Correction",
    Khrylchenko et al., 2025); the estimate of the partition function is then unbiased.

    Args:
        negatives: [m] item indexes, drawn with replacement.
        log_expected: [items] float32, log of an item's expected count among the negatives.
    """
    target_logits = tf.reduce_sum(interests * tf.gather(vectors, targets), axis=1) + tf.gather(bias, targets)
    corrected = tf.gather(bias - log_expected, negatives)
    logits = tf.matmul(interests, tf.gather(vectors, negatives), transpose_b=True) + corrected
    hit = targets[:, None] == negatives[None, :]
    logits = tf.where(hit, EXCLUDED, logits)
    partition = tf.reduce_logsumexp(tf.concat([target_logits[:, None], logits], axis=1), axis=1)
    return tf.reduce_sum(weights * (partition - target_logits))


def draw_negatives(cumulative: tf.Tensor, count: int, seed: tf.Tensor) -> tf.Tensor:
    """Draw [count] item indexes with replacement, by cumulative probabilities [items] float64."""
    uniform = tf.random.stateless_uniform([count], seed, dtype=tf.float64)
    drawn = tf.searchsorted(cumulative, uniform, side="right")
    return tf.minimum(drawn, tf.shape(cumulative)[0] - 1)


def _block_size(items: int) -> int:
    """Return the number of positions per block; a full batch of full windows is a multiple of the largest."""
    size = 40
    while size < 640 and size * items < BLOCK_LOGITS:
        size *= 2
    return size


def _blocked_cross_entropy(
    h: tf.Tensor,
    e: tf.Tensor,
    b: tf.Tensor,
    targets: tf.Tensor,
    weights: tf.Tensor,
    block: int,
    softmax: Softmax,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the loss, and its gradients by h, e and b."""
    count = tf.shape(h)[0]
    blocks = (count + block - 1) // block
    short = blocks * block - count
    rows = tf.reshape(tf.pad(h, [[0, short], [0, 0]]), [blocks, block, h.shape[1]])
    wanted = tf.reshape(tf.pad(targets, [[0, short]]), [blocks, block])
    weight = tf.reshape(tf.pad(weights, [[0, short]]), [blocks, block])

    def body(i: tf.Tensor, loss: tf.Tensor, dh: Any, de: tf.Tensor, db: tf.Tensor) -> tuple[Any, ...]:
        block_loss, error, bias_error = softmax(
            tf.matmul(rows[i], e, transpose_b=True), b, wanted[i], weight[i]
        )
        de += tf.matmul(error, rows[i], transpose_a=True)
        return i + 1, loss + block_loss, dh.write(i, tf.matmul(error, e)), de, db + bias_error

    start = (0, 0.0, tf.TensorArray(tf.float32, blocks, element_shape=[block, h.shape[1]]))
    _, loss, dh, de, db = tf.while_loop(
        lambda i, *_: i < blocks, body, (*start, tf.zeros_like(e), tf.zeros_like(b)), parallel_iterations=1
    )
    return loss, tf.reshape(dh.stack(), [-1, h.shape[1]])[:count], de, db


def _softmax(
    products: tf.Tensor, bias: tf.Tensor, targets: tf.Tensor, weight: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the loss, and its gradients by logits and bias; computes one exponential per logit."""
    logits = products + bias
    highest = tf.reduce_max(logits, axis=1, keepdims=True)
    odds = tf.exp(logits - highest)
    total = tf.reduce_sum(odds, axis=1, keepdims=True)
    wanted = tf.gather(products, targets, batch_dims=1) + tf.gather(bias, targets)
    loss = tf.reduce_sum(weight * (tf.math.log(total[:, 0]) + highest[:, 0] - wanted))
    hot = tf.one_hot(targets, logits.shape[1]) * weight[:, None]
    error = odds * (weight[:, None] / total) - hot
    return loss, error, tf.reduce_sum(error, axis=0)


_SOFTMAXES: dict[bool, Softmax] = {}


def _compiled(xla: bool) -> Softmax:
    """Compile the softmax with XLA; the matrix products are faster in TensorFlow's own kernels."""
    if xla not in _SOFTMAXES:
        _SOFTMAXES[xla] = tf.function(_softmax, jit_compile=True, autograph=False) if xla else _softmax
    return _SOFTMAXES[xla]
