"""Softmax losses: over the full catalog, over a random part of it, or sampled with the logQ correction."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import tensorflow as tf

# Logits of a block: 16 MB of float32; all logits [positions, items] would be much more. With 14,240 items a
# step takes 1.13 × the CPU time in blocks of 8 MB, and 0.97 × in blocks of 32 MB.
BLOCK_LOGITS: Final = 1 << 22

# Logit that excludes an item from a softmax; -inf would make the gradient NaN.
EXCLUDED: Final = -1e9

# Keeps a logarithm finite; a target with a smaller probability still has its gradient.
MIN_PROBABILITY: Final = 1e-30

# A position after all others; with 8 bits for each, a CPU looks up a block in 0.4 of the time of float32.
NEVER: Final = 255

Gradients = tuple[tf.Tensor, tf.Tensor, tf.Tensor]
Backward = Callable[[tf.Tensor], Gradients]


@dataclass(frozen=True)
class Seen:
    """The items that are no alternatives to a target: those of its window up to a position.

    Attributes:
        items: [windows, length] int32 item indexes, of each window the first NEVER; one below 0 excludes
            nothing.
        windows: [n] int32 the window of each target.
        until: [n] int32 position in the window; before 0 nothing is excluded.
    """

    items: tf.Tensor
    windows: tf.Tensor
    until: tf.Tensor

    def among(self, places: tf.Tensor) -> "Seen":
        """Return the same with other indexes: `places` [items], below 0 for an item that has none."""
        return replace(self, items=tf.gather(places, self.items))

    def mask(self, count: tf.Tensor | int) -> tf.Tensor:
        """Return [n, count] bool whether a target has seen each item."""
        # Few windows have all targets: look up once for each window when an item is first seen.
        windows, window_of = tf.unique(self.windows)
        items = tf.gather(self.items, windows)
        rows, length = tf.unstack(tf.shape(items))
        cells = tf.stack([tf.repeat(tf.range(rows), length), tf.maximum(tf.reshape(items, [-1]), 0)], axis=1)
        positions = tf.where(items >= 0, tf.minimum(tf.range(length), NEVER), NEVER)
        never = tf.fill([rows, count], float(NEVER))
        first = tf.tensor_scatter_nd_min(never, cells, tf.cast(tf.reshape(positions, [-1]), tf.float32))
        # A GPU has no kernel that gathers 8-bit numbers.
        kind = tf.float32 if tf.config.list_physical_devices("GPU") else tf.uint8
        end = tf.cast(tf.clip_by_value(self.until + 1, 0, NEVER), kind)
        return tf.gather(tf.cast(first, kind), window_of) < end[:, None]


def full_softmax(
    interests: tf.Tensor,
    vectors: tf.Tensor,
    bias: tf.Tensor,
    targets: tf.Tensor,
    weights: tf.Tensor,
    seen: Seen | None = None,
) -> tf.Tensor:
    """Return the weighted sum of the targets' cross-entropies against all items, or those not `seen`.

    Loss and gradient are computed in one pass over blocks of positions, so the logits are never all in
    memory (the idea of "Cut Your Losses in Large-Vocabulary Language Models", Wijmans et al., 2024).

    Args:
        interests: [n, size] float32.
        vectors: [items, size] float32.
        bias: [items] float32.
        targets: [n] int32 item indexes.
        weights: [n] float32.
        seen: the items that are no alternatives to a target, None for none; a target is none of them, or has
            the weight 0.
    """
    most = _most_rows(int(vectors.shape[0]))

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def loss_of(h: tf.Tensor, e: tf.Tensor, b: tf.Tensor) -> tuple[tf.Tensor, Backward]:
        # With a constant 1 in the interests, the bias is one more column of the vectors.
        extended = tf.concat([h, tf.ones_like(h[:, :1])], axis=1)
        columns = tf.concat([e, b[:, None]], axis=1)
        weighted = extended * weights[:, None]
        chosen, expected, de = _blocked_softmax(extended, weighted, columns, e, targets, seen, most)
        # The gradient by the logits is softmax - one-hot; the one-hot part concerns the targets' rows alone.
        dh = (expected - tf.gather(e, targets)) * weights[:, None]
        de = tf.tensor_scatter_nd_sub(de, targets[:, None], weighted)

        def backward(upstream: tf.Tensor) -> Gradients:
            return upstream * dh, upstream * de[:, :-1], upstream * de[:, -1]

        return -tf.reduce_sum(weights * tf.math.log(tf.maximum(chosen, MIN_PROBABILITY))), backward

    return loss_of(interests, vectors, bias)


def cold_softmax(bias: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Return what `full_softmax` returns for interests of zeros, whose logits are the bias."""
    total: tf.Tensor = tf.reduce_sum(weights) * tf.reduce_logsumexp(bias)
    return total - tf.reduce_sum(weights * tf.gather(bias, targets))


def draw_items(
    targets: tf.Tensor, bias: tf.Tensor, count: int, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draw items for a softmax over a part of the catalog: all targets, and others with equal probability.

    The drawn others stand for all others: `correction` makes the sum of the exponentials of their logits an
    unbiased estimate. The targets count as themselves, and with them most of what has a large probability.

    Args:
        targets: [n] int32 item indexes, at most `count` distinct ones.
        bias: [items] float32, EXCLUDED for items that are never negatives; these are drawn last.

    Returns:
        [count] int32 distinct item indexes, and [count] float32 what to add to their logits.
    """
    is_target = tf.scatter_nd(targets[:, None], tf.ones_like(targets), bias.shape) > 0
    is_other = ~is_target & (bias > EXCLUDED / 2)
    order = tf.random.stateless_uniform(bias.shape, seed) + tf.cast(is_other, tf.float32)
    drawn = tf.math.top_k(order + 2 * tf.cast(is_target, tf.float32), count, sorted=False).indices
    others, own = (
        tf.reduce_sum(tf.cast(mask, tf.float32)) for mask in (is_other, tf.gather(is_other, drawn))
    )
    ratio = tf.maximum(others, 1.0) / tf.maximum(own, 1.0)
    return drawn, tf.where(tf.gather(is_target, drawn), 0.0, tf.math.log(ratio))


def sampled_softmax(
    interests: tf.Tensor,
    vectors: tf.Tensor,
    bias: tf.Tensor,
    targets: tf.Tensor,
    weights: tf.Tensor,
    seen: Seen | None,
    negatives: tf.Tensor,
    log_expected: tf.Tensor,
) -> tf.Tensor:
    """Return the weighted sum of the cross-entropies against the target and shared sampled negatives.

    The target is always in the sample, so it is not corrected ("Correcting the LogQ Correction",
    Khrylchenko et al., 2025); the estimate of the partition function is then unbiased.

    Args:
        seen: the items that are no alternatives to a target, None for none.
        negatives: [m] item indexes, drawn with replacement.
        log_expected: [items] float32, log of an item's expected count among the negatives.
    """
    target_logits = tf.reduce_sum(interests * tf.gather(vectors, targets), axis=1) + tf.gather(bias, targets)
    corrected = tf.gather(bias - log_expected, negatives)
    logits = tf.matmul(interests, tf.gather(vectors, negatives), transpose_b=True) + corrected
    excluded = targets[:, None] == negatives[None, :]
    if seen:
        distinct, drawn = tf.unique(negatives)
        count = tf.size(distinct)
        places = tf.scatter_nd(distinct[:, None], tf.range(count) + 1, tf.shape(bias)) - 1
        excluded |= tf.gather(seen.among(places).mask(count), drawn, axis=1)
    logits = tf.where(excluded, EXCLUDED, logits)
    partition = tf.reduce_logsumexp(tf.concat([target_logits[:, None], logits], axis=1), axis=1)
    return tf.reduce_sum(weights * (partition - target_logits))


def draw_negatives(cumulative: tf.Tensor, count: int, seed: tf.Tensor) -> tf.Tensor:
    """Draw [count] item indexes with replacement, by cumulative probabilities [items] float64."""
    uniform = tf.random.stateless_uniform([count], seed, dtype=tf.float64)
    drawn = tf.searchsorted(cumulative, uniform, side="right")
    return tf.minimum(drawn, tf.shape(cumulative)[0] - 1)


def _most_rows(items: int) -> int:
    """Return the largest number of positions per block."""
    return min(640, max(40, BLOCK_LOGITS // items))


def _blocked_softmax(
    interests: tf.Tensor,
    weighted: tf.Tensor,
    columns: tf.Tensor,
    vectors: tf.Tensor,
    targets: tf.Tensor,
    seen: Seen | None,
    most: int,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return what loss and gradient need of p = softmax(interests · columnsᵀ), by blocks of `most` rows.

    The items that are `seen` have the probability 0.

    Returns:
        [n] p of each target, [n, size - 1] p · vectors, and [items, size] pᵀ · weighted.
    """
    count, size = tf.shape(interests)[0], interests.shape[1]
    blocks = tf.maximum((count + most - 1) // most, 1)
    block = (count + blocks - 1) // blocks

    def in_blocks(part: tf.Tensor) -> tf.Tensor:
        """Return [n, …] as [blocks, block, …], filled up with zeros."""
        padding = [[0, blocks * block - count], *[[0, 0]] * (part.shape.rank - 1)]
        return tf.reshape(tf.pad(part, padding), [blocks, block, *part.shape[1:]])

    rows, weighted_rows, wanted = map(in_blocks, (interests, weighted, targets))
    if seen:
        seen = replace(seen, windows=in_blocks(seen.windows), until=in_blocks(seen.until))

    def body(i: tf.Tensor, chosen: Any, expected: Any, by_item: tf.Tensor) -> tuple[Any, ...]:
        logits = tf.matmul(rows[i], columns, transpose_b=True)
        if seen:
            of_block = replace(seen, windows=seen.windows[i], until=seen.until[i])
            logits = tf.where(of_block.mask(columns.shape[0]), EXCLUDED, logits)
        share = tf.nn.softmax(logits)
        by_item += tf.matmul(share, weighted_rows[i], transpose_a=True)
        chosen = chosen.write(i, tf.gather(share, wanted[i], batch_dims=1))
        return i + 1, chosen, expected.write(i, tf.matmul(share, vectors)), by_item

    shapes = [None], [None, size - 1]
    arrays = [tf.TensorArray(tf.float32, blocks, element_shape=shape) for shape in shapes]
    _, chosen, expected, by_item = tf.while_loop(
        lambda i, *_: i < blocks, body, (0, *arrays, tf.zeros_like(columns)), parallel_iterations=1
    )
    chosen, expected = tf.reshape(chosen.stack(), [-1]), tf.reshape(expected.stack(), [-1, size - 1])
    return chosen[:count], expected[:count], by_item
