"""Each filter against an answer worked by hand, a closed form or a naive loop."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from components.train_collaborative_filters.ease import ease
from components.train_collaborative_filters.item_cosine import item_cosine
from components.train_collaborative_filters.popularity import HOUR, MONTH, half_life, popularity, trend
from components.train_collaborative_filters.strongest import strongest
from components.train_collaborative_filters.transitions import transitions
from components.train_collaborative_filters.user_cosine import user_rows
from tests.components.train_collaborative_filters.planted import SECOND, interactions


def test_transition_table_worked_by_hand() -> None:
    # 0→1 at distance 1 twice; 0→2 at 2 once (1/√2) and at 1 never; 1→2 at 1 once.
    world = interactions([[0, 1, 2], [0, 1]], item_count=3)
    counts = np.array([[0, 2, 2**-0.5], [0, 0, 1], [0, 0, 0]])
    expected = counts / (counts.sum(axis=1, keepdims=True) + 10)
    found = transitions(world, window=2, backward=0, smoothing=10, neighbours=3)
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-6)


def test_transitions_stop_at_the_window_and_at_the_user() -> None:
    world = interactions([[0, 1, 2], [3]], item_count=4)
    found = transitions(world, window=1, backward=0, smoothing=1, neighbours=4).toarray()
    assert set(zip(*np.nonzero(found), strict=True)) == {(0, 1), (1, 2)}


def test_backward_transitions_count_their_share() -> None:
    world = interactions([[0, 1]], item_count=2)
    found = transitions(world, window=1, backward=0.5, smoothing=1, neighbours=2).toarray()
    np.testing.assert_allclose(found, [[0, 1 / 2], [0.5 / 1.5, 0]])


def test_transition_rows_leave_mass_to_popularity() -> None:
    world = interactions([np.random.default_rng(1).integers(0, 30, 500)], item_count=30)
    rows = transitions(world, window=5, backward=0.2, smoothing=10, neighbours=20).sum(axis=1)
    assert rows.max() < 1
    assert rows.min() > 0.5


def test_item_cosine_worked_by_hand() -> None:
    # Item 0 has users {0, 1}, item 1 {0}, item 2 {1, 2}; a second look at an item is no second choice.
    found = item_cosine(interactions([[0, 1, 0], [0, 2], [2]], item_count=3), neighbours=3).toarray()
    np.testing.assert_allclose(found, [[0, 2**-0.5, 0.5], [2**-0.5, 0, 0], [0.5, 0, 0]], rtol=1e-6)


def test_item_cosine_in_blocks_is_item_cosine_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(2)
    world = interactions([generator.integers(0, 25, 8) for _ in range(40)], item_count=25)
    at_once = item_cosine(world, neighbours=25).toarray()
    monkeypatch.setattr("components.train_collaborative_filters.item_cosine.BLOCK", 100)
    np.testing.assert_allclose(item_cosine(world, neighbours=25).toarray(), at_once)


def test_ease_is_its_closed_form() -> None:
    generator = np.random.default_rng(3)
    world = interactions([generator.integers(0, 20, 6) for _ in range(50)], item_count=20)
    chosen = world.user_items().toarray().astype(np.float64)
    inverse = np.linalg.inv(chosen.T @ chosen + 5 * np.eye(20))
    expected = np.eye(20) - inverse / np.diag(inverse)
    np.testing.assert_allclose(ease(world, regularisation=5, neighbours=20).toarray(), expected, atol=1e-5)


def test_ease_without_interactions_for_an_item_gives_it_no_weight() -> None:
    weights = ease(interactions([[0, 1]], item_count=3), regularisation=1, neighbours=3).toarray()
    np.testing.assert_allclose(weights, [[0, 0.5, 0], [0.5, 0, 0], [0, 0, 0]], atol=1e-6)


def test_user_rows_have_unit_length_and_keep_the_newest_users() -> None:
    world = interactions([[0, 1], [2, 2, 3, 4], [1, 2, 0]], item_count=5)
    rows = user_rows(world, max_users=2)  # the first user was seen first, its last interaction too
    np.testing.assert_allclose(rows.toarray()[0], np.array([0, 0, 1, 1, 1]) / np.sqrt(3), rtol=1e-6)
    np.testing.assert_allclose(rows.toarray()[1], np.array([1, 1, 1, 0, 0]) / np.sqrt(3), rtol=1e-6)


def test_popularity_counts_and_trend_halves() -> None:
    world = interactions([[0, 1, 1]], item_count=3)  # two, one and no second before the newest
    np.testing.assert_array_equal(popularity(world), [1, 2, 0])
    np.testing.assert_allclose(trend(world, half_life=SECOND), [0.25, 1.5, 0])


@pytest.mark.parametrize(
    ("seconds", "expected"), [(60, HOUR), (36_000 * 100, 36_000 * 10 * SECOND), (10**9, MONTH)]
)
def test_half_life_follows_the_span_within_bounds(seconds: int, expected: int) -> None:
    world = interactions([[0, 0]], item_count=1)
    world.timestamps[1] = world.timestamps[0] + seconds * SECOND
    assert half_life(world) == expected


def test_strongest_keeps_the_largest_magnitudes_of_each_row() -> None:
    matrix = csr_array(np.array([[1.0, -3, 2, 0], [0, 0, 5, 0], [0, 0, 0, 0]]))
    np.testing.assert_array_equal(strongest(matrix, 2).toarray(), [[0, -3, 2, 0], [0, 0, 5, 0], [0, 0, 0, 0]])


def test_newest_keeps_the_end_of_each_user() -> None:
    world = interactions([[0, 1, 2], [3]], item_count=4).newest(2)
    np.testing.assert_array_equal(world.items, [1, 2, 3])
    np.testing.assert_array_equal(world.users, [0, 0, 1])
