"""The softmax losses, compared with plain implementations."""

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from components.train_interest_model.network.losses import (
    EXCLUDED,
    Seen,
    cold_softmax,
    draw_items,
    draw_negatives,
    full_softmax,
    sampled_softmax,
)

RANDOM = np.random.default_rng(0)
INTERESTS = tf.constant(RANDOM.normal(size=(150, 8)), tf.float32)
VECTORS = tf.constant(RANDOM.normal(size=(30, 8)), tf.float32)
BIAS = tf.constant(RANDOM.normal(size=30), tf.float32)
TARGETS = tf.constant(RANDOM.integers(0, 30, 150), tf.int32)
WEIGHTS = tf.constant(RANDOM.choice([0.5, 1.0, 3.0], 150), tf.float32)


def plain(
    interests: tf.Tensor,
    vectors: tf.Tensor,
    bias: tf.Tensor,
    mask: NDArray[np.float32] | float = 0.0,
    weights: tf.Tensor = WEIGHTS,
) -> tf.Tensor:
    logits = tf.matmul(interests, vectors, transpose_b=True) + bias + mask
    return tf.reduce_sum(weights * tf.nn.sparse_softmax_cross_entropy_with_logits(TARGETS, logits))


def test_the_blocked_softmax_equals_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "components.train_interest_model.network.losses.BLOCK_LOGITS", 1
    )  # blocks of 40: 3.75 of them
    inputs = (INTERESTS, VECTORS, BIAS)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        loss, expected = 2 * full_softmax(*inputs, TARGETS, WEIGHTS), 2 * plain(*inputs)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    for gradient, wanted in zip(tape.gradient(loss, inputs), tape.gradient(expected, inputs), strict=True):
        np.testing.assert_allclose(gradient, wanted, atol=1e-4)


def test_seen_items_are_no_alternatives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Windows of five items, two in one place: targets after each position, and before the first one."""
    monkeypatch.setattr("components.train_interest_model.network.losses.BLOCK_LOGITS", 1)
    items = RANDOM.integers(0, 30, (25, 5)).astype(np.int32)
    items[:, 3] = items[:, 1]
    items[3, 2] = -1
    windows, until = (
        np.repeat(np.arange(25, dtype=np.int32), 6),
        np.tile(np.arange(-1, 5, dtype=np.int32), 25),
    )
    mask = np.zeros((150, 30), np.float32)
    for row, (window, last) in enumerate(zip(windows, until, strict=True)):
        mask[row, [item for item in items[window, : last + 1] if item >= 0]] = EXCLUDED
    was_seen = np.take_along_axis(mask, TARGETS.numpy()[:, None], axis=1)[:, 0] < 0
    assert was_seen.any()
    weights = WEIGHTS * ~was_seen
    inputs, seen = (INTERESTS, VECTORS, BIAS), Seen(*map(tf.constant, (items, windows, until)))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        loss, expected = full_softmax(*inputs, TARGETS, weights, seen), plain(*inputs, mask, weights)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    for gradient, wanted in zip(tape.gradient(loss, inputs), tape.gradient(expected, inputs), strict=True):
        np.testing.assert_allclose(gradient, wanted, atol=1e-4)


def test_interests_of_zeros_are_ranked_by_the_bias() -> None:
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(BIAS)
        loss = cold_softmax(BIAS, TARGETS, WEIGHTS)
        expected = plain(tf.zeros_like(INTERESTS), VECTORS, BIAS)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    gradient = tf.convert_to_tensor(tape.gradient(loss, BIAS))
    np.testing.assert_allclose(gradient, tape.gradient(expected, BIAS), atol=1e-4)


def test_an_excluded_item_has_no_gradient() -> None:
    absent = 31  # never a target
    vectors = tf.concat([VECTORS, tf.ones([2, 8])], axis=0)
    bias = tf.concat([BIAS, [EXCLUDED, EXCLUDED]], axis=0)
    with tf.GradientTape() as tape:
        tape.watch(vectors)
        loss = full_softmax(INTERESTS, vectors, bias, TARGETS, WEIGHTS)
    assert float(loss) == pytest.approx(float(plain(INTERESTS, VECTORS, BIAS)), rel=1e-5)
    assert np.abs(tape.gradient(loss, vectors)[absent]).max() == 0


def test_drawn_items_are_the_targets_and_others_that_stand_for_all_others() -> None:
    bias = tf.constant(np.where(np.arange(400) < 300, RANDOM.normal(size=400), EXCLUDED), tf.float32)
    targets = tf.constant([7, 7, 0, 299], tf.int32)
    sums, times = [], np.zeros(400)
    for seed in range(400):
        drawn, correction = draw_items(targets, bias, 60, tf.constant([3, seed]))
        assert len(set(drawn.numpy())) == 60
        times[drawn.numpy()] += 1
        sums.append(float(tf.reduce_sum(tf.exp(tf.gather(bias, drawn) + correction))))
    assert times[[7, 0, 299]].tolist() == [400] * 3
    assert times[300:].sum() == 0
    assert 40 < times[:300].min() <= np.sort(times)[-4] < 115  # 77 on average
    assert np.mean(sums) == pytest.approx(float(tf.reduce_sum(tf.exp(bias))), rel=0.02)


def test_excluded_items_fill_up_when_all_others_are_drawn() -> None:
    bias = tf.constant([0.5, EXCLUDED, -0.5, EXCLUDED, EXCLUDED], tf.float32)
    drawn, correction = draw_items(tf.constant([2]), bias, 4, tf.constant([1, 2]))
    assert {0, 2} < set(drawn.numpy())
    assert correction.numpy().tolist() == [0, 0, 0, 0]


def test_the_sampled_softmax_approaches_the_full_one_with_many_negatives() -> None:
    share = np.linspace(1, 4, 30)
    share /= share.sum()
    count = 60_000
    negatives = draw_negatives(tf.constant(np.cumsum(share), tf.float64), count, tf.constant([1, 2]))
    log_expected = tf.constant(np.log(share * count), tf.float32)
    inputs = (INTERESTS, VECTORS, BIAS)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        sampled = sampled_softmax(*inputs, TARGETS, WEIGHTS, None, negatives, log_expected)
        full = plain(*inputs)
    assert float(sampled) == pytest.approx(float(full), rel=0.01)
    for gradient, wanted in zip(tape.gradient(sampled, inputs), tape.gradient(full, inputs), strict=True):
        error = np.linalg.norm(tf.convert_to_tensor(gradient) - wanted) / np.linalg.norm(wanted)
        assert error < 0.05


def test_without_correction_the_sampled_softmax_is_biased() -> None:
    share = np.linspace(1, 4, 30)
    share /= share.sum()
    negatives = draw_negatives(tf.constant(np.cumsum(share), tf.float64), 1000, tf.constant([1, 2]))
    loss = sampled_softmax(INTERESTS, VECTORS, BIAS, TARGETS, WEIGHTS, None, negatives, tf.zeros(30))
    assert float(loss) > 1.5 * float(plain(INTERESTS, VECTORS, BIAS))


def test_seen_negatives_count_nothing_in_the_sampled_softmax() -> None:
    negatives, unseen = [4, 9, 4, 2], [9]
    items = tf.constant([[4, 2, 0, 0]])
    targets, weights, bias = tf.constant([7]), tf.ones(1), tf.zeros(30)
    inputs, log_expected = (INTERESTS[:1], VECTORS, bias, targets, weights), tf.zeros(30)
    seen = Seen(items, tf.constant([0]), tf.constant([1]))
    losses = [
        float(sampled_softmax(*inputs, own, tf.constant(drawn), log_expected))
        for own, drawn in ((seen, negatives), (None, unseen), (None, negatives))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert losses[2] > losses[0]


def test_negatives_are_drawn_by_their_probability() -> None:
    share = np.array([0.5, 0.0, 0.2, 0.3])
    drawn = draw_negatives(tf.constant(np.cumsum(share), tf.float64), 20_000, tf.constant([3, 4]))
    np.testing.assert_allclose(np.bincount(drawn, minlength=4) / 20_000, share, atol=0.015)
