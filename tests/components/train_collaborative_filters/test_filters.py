"""Each filter, compared with a result computed by hand, a closed form or a simple loop."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from components.train_collaborative_filters.ease import ease
from components.train_collaborative_filters.item_cosine import item_cosine
from components.train_collaborative_filters.item_transitions import MAX_STEP, transitions
from components.train_collaborative_filters.popularity import HOUR, MONTH, half_life, popularity, trend
from components.train_collaborative_filters.top_k_per_row import top_k_per_row
from components.train_collaborative_filters.user_cosine import user_rows
from tests.components.train_collaborative_filters.planted import SECOND, in_steps, interactions


def test_transitions_by_hand() -> None:
    # 0→1 at distance 1 twice; 0→2 at 2 once (1/√2) and at 1 never; 1→2 at 1 once.
    world = interactions([[0, 1, 2], [0, 1]], item_count=3)
    counts = np.array([[0, 2, 2**-0.5], [0, 0, 1], [0, 0, 0]])
    expected = counts / (counts.sum(axis=1, keepdims=True) + 10)
    actual = transitions(world, window=2, backward=0, smoothing=10, neighbours=3)
    np.testing.assert_allclose(actual.toarray(), expected, rtol=1e-6)


def test_transitions_are_within_the_window_and_the_user() -> None:
    world = interactions([[0, 1, 2], [3]], item_count=4)
    actual = transitions(world, window=1, backward=0, smoothing=1, neighbours=4).toarray()
    assert set(zip(*np.nonzero(actual), strict=True)) == {(0, 1), (1, 2)}


def test_backward_transitions_have_their_weight() -> None:
    world = interactions([[0, 1]], item_count=2)
    actual = transitions(world, window=1, backward=0.5, smoothing=1, neighbours=2).toarray()
    np.testing.assert_allclose(actual, [[0, 1 / 2], [0.5 / 1.5, 0]])


def test_transitions_lead_from_a_step_to_later_steps_only() -> None:
    # Steps {0, 1}, {2, 3, 4}, {5}: each of the second step is on average (1 + 1/√2 + 1/√3) / 3 ahead.
    world = in_steps([[0, 0, 1, 1, 1, 2]], [[0, 1, 2, 3, 4, 5]], item_count=6)
    actual = transitions(world, window=4, backward=0, smoothing=0, neighbours=6).toarray()
    near, far = (1 + 2**-0.5 + 3**-0.5) / 3, 4**-0.5
    counts = np.array([0, 0, near, near, near, far])
    np.testing.assert_allclose(actual[:2], [counts / counts.sum()] * 2, rtol=1e-6)
    np.testing.assert_array_equal(actual[2:5], [[0, 0, 0, 0, 0, 1]] * 3)
    assert not actual[5].any()
    within = in_steps([[0] * 6], [[0, 1, 2, 3, 4, 5]], item_count=6)
    assert transitions(within, window=4, backward=0.5, smoothing=1, neighbours=6).nnz == 0


def test_a_step_at_the_end_of_the_window_counts_in_part() -> None:
    world = in_steps([[0, 1, 1]], [[0, 1, 2]], item_count=3)
    actual = transitions(world, window=1, backward=0, smoothing=0, neighbours=3).toarray()
    np.testing.assert_array_equal(actual[0], [0, 0.5, 0.5])


def test_transitions_from_and_to_huge_steps_are_left_out() -> None:
    huge = [0] + [1] * (MAX_STEP + 1) + [2, 3]
    world = in_steps([huge], [np.arange(len(huge))], item_count=len(huge))
    actual = transitions(world, window=500, backward=0, smoothing=0, neighbours=3).toarray()
    last = len(huge) - 1
    assert set(zip(*np.nonzero(actual), strict=True)) == {(0, last - 1), (0, last), (last - 1, last)}


def test_transitions_count_the_weights_of_both_items() -> None:
    world = interactions([[0, 1], [0, 2]], item_count=3)
    world = replace(world, weights=np.array([0.5, 1, 1, 3], np.float32))
    actual = transitions(world, window=1, backward=0, smoothing=0, neighbours=3).toarray()
    np.testing.assert_allclose(actual[0], [0, 0.5 / 3.5, 3 / 3.5], rtol=1e-6)


def test_transitions_do_not_depend_on_the_block_size(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(2)
    world = interactions([generator.integers(0, 25, 8) for _ in range(40)], item_count=25)
    at_once = transitions(world, window=5, backward=0, smoothing=1, neighbours=25).toarray()
    monkeypatch.setattr("components.train_collaborative_filters.item_transitions.BLOCK", 7)
    actual = transitions(world, window=5, backward=0, smoothing=1, neighbours=25).toarray()
    np.testing.assert_allclose(actual, at_once, rtol=1e-5)


def test_transition_rows_sum_to_less_than_one() -> None:
    world = interactions([np.random.default_rng(1).integers(0, 30, 500)], item_count=30)
    rows = transitions(world, window=5, backward=0.2, smoothing=10, neighbours=20).sum(axis=1)
    assert rows.max() < 1
    assert rows.min() > 0.5


def test_item_cosine_by_hand() -> None:
    # Item 0 has users {0, 1}, item 1 {0}, item 2 {1, 2}; repeated choices count once.
    actual = item_cosine(interactions([[0, 1, 0], [0, 2], [2]], item_count=3), neighbours=3).toarray()
    np.testing.assert_allclose(actual, [[0, 2**-0.5, 0.5], [2**-0.5, 0, 0], [0.5, 0, 0]], rtol=1e-6)


def test_item_cosine_of_weights_by_hand() -> None:
    world = replace(interactions([[0, 1], [1]], item_count=2), weights=np.array([2, 3, 4], np.float32))
    actual = item_cosine(world, neighbours=2).toarray()
    np.testing.assert_allclose(actual, [[0, 6 / (2 * 5)], [6 / (2 * 5), 0]], rtol=1e-6)


def test_item_cosine_does_not_depend_on_the_block_size(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(2)
    world = interactions([generator.integers(0, 25, 8) for _ in range(40)], item_count=25)
    at_once = item_cosine(world, neighbours=25).toarray()
    monkeypatch.setattr("components.train_collaborative_filters.item_cosine.BLOCK", 100)
    np.testing.assert_allclose(item_cosine(world, neighbours=25).toarray(), at_once)


def test_ease_equals_the_closed_form() -> None:
    generator = np.random.default_rng(3)
    world = interactions([generator.integers(0, 20, 6) for _ in range(50)], item_count=20)
    chosen = world.user_items().toarray().astype(np.float64)
    inverse = np.linalg.inv(chosen.T @ chosen + 5 * np.eye(20))
    expected = np.eye(20) - inverse / np.diag(inverse)
    np.testing.assert_allclose(ease(world, regularisation=5, neighbours=20).toarray(), expected, atol=1e-5)


def test_ease_of_an_item_without_interactions_is_zero() -> None:
    weights = ease(interactions([[0, 1]], item_count=3), regularisation=1, neighbours=3).toarray()
    np.testing.assert_allclose(weights, np.array([[0, 0.5, 0], [0.5, 0, 0], [0, 0, 0]]), atol=1e-6)


def test_user_rows_are_the_largest_weights_of_the_most_recent_users() -> None:
    world = interactions([[0, 1], [2, 2, 3, 4], [1, 2, 0]], item_count=5)
    world = replace(world, weights=np.array([1, 1, 0.4, 0.8, 0.6, 1, 1, 1, 1], np.float32))
    rows = user_rows(world, max_users=2).toarray()  # the first user has the oldest last interaction
    np.testing.assert_array_equal(rows, np.array([[0, 0, 0.8, 0.6, 1], [1, 1, 1, 0, 0]], np.float32))


def test_popularity_dampens_repeats_and_trend_counts_people_with_exponential_weights() -> None:
    world = interactions([[0, 1, 1]], item_count=3)  # 2, 1 and 0 seconds before the newest
    np.testing.assert_allclose(popularity(world), [1, 1 + np.log(2), 0], rtol=1e-6)
    np.testing.assert_allclose(trend(world, half_life=SECOND), [0.25, 1, 0])
    weighted = replace(world, weights=np.array([2, 3, 1], np.float32))
    np.testing.assert_allclose(popularity(weighted), [2, 3 * (1 + np.log(4 / 3)), 0], rtol=1e-6)
    np.testing.assert_allclose(trend(weighted, half_life=SECOND), [0.5, 1.5, 0])


def test_one_person_owns_neither_the_popularity_nor_the_trend() -> None:
    crowd: list[list[int]] = [[0, 1]] * 30
    world = interactions([*crowd, [2] * 1_200], item_count=3)
    np.testing.assert_allclose(trend(world, half_life=HOUR), [30, 30, 1], rtol=0.01)
    np.testing.assert_allclose(popularity(world), [30, 30, 1 + np.log(1_200)], rtol=1e-6)


@pytest.mark.parametrize("years", [-36, 10])
def test_one_wrong_time_changes_neither_the_half_life_nor_the_trend_of_the_others(years: int) -> None:
    sequences = [[0, 1], [1, 0], [0], [1, 1], [1]]
    world = interactions([*sequences, [2]], item_count=3)
    right = half_life(world), trend(world, HOUR)[:2]
    world.timestamps[-1] += years * 365 * 86_400 * SECOND
    assert half_life(world) == right[0]
    np.testing.assert_allclose(trend(world, HOUR)[:2], right[1])
    assert trend(world, HOUR)[2] <= 1


@pytest.mark.parametrize(
    ("seconds", "expected"), [(60, HOUR), (36_000 * 100, 36_000 * 10 * SECOND), (10**9, MONTH)]
)
def test_half_life_is_a_tenth_of_the_time_span_within_bounds(seconds: int, expected: int) -> None:
    world = interactions([[0, 0]], item_count=1)
    world.timestamps[1] = world.timestamps[0] + seconds * SECOND
    assert half_life(world) == expected


def test_top_k_per_row_keeps_the_largest_magnitudes() -> None:
    matrix = csr_array(np.array([[1.0, -3, 2, 0], [0, 0, 5, 0], [0, 0, 0, 0]]))
    np.testing.assert_array_equal(
        top_k_per_row(matrix, 2).toarray(), [[0, -3, 2, 0], [0, 0, 5, 0], [0, 0, 0, 0]]
    )


def test_newest_keeps_each_users_last_interactions() -> None:
    world = interactions([[0, 1, 2], [3]], item_count=4).newest(2)
    np.testing.assert_array_equal(world.items, [1, 2, 3])
    np.testing.assert_array_equal(world.users, [0, 0, 1])
