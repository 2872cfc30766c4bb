"""What filters say after a history, against naive loops."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from serving.ranking import signals, sparse_scores
from serving.ranking.signals import Query
from serving.ranking.sparse_scores import DenseScores, SparseScores, among_top_k
from serving.release.ranking_data import Ranking
from tests.serving.rankings import query, ranking


@pytest.fixture
def world() -> Ranking:
    return ranking(50)


def test_recent_interactions_speak_by_age() -> None:
    expected = np.array([3**-1.5, 2**-1.5, 1])
    np.testing.assert_allclose(signals.recent(3), expected / expected.sum(), rtol=1e-6)


def test_tastes_fade_until_they_cannot_be_heard() -> None:
    weights = signals.exponential_weights(200)
    assert len(weights) == 64  # 0.93 ** 63 is the last above 1 %
    np.testing.assert_allclose(weights[:-1] / weights[1:], 0.93, rtol=1e-5)
    assert weights.sum() == pytest.approx(1)


def test_transitions_are_the_mean_of_the_rows_and_leave_the_rest(world: Ranking) -> None:
    rows = world.filters.transitions.toarray()
    asked = query(world, [3, 9])
    scores, left = signals.transitions(world.filters, asked)
    expected = (2**-1.5 * rows[3] + rows[9]) / (1 + 2**-1.5)
    np.testing.assert_allclose(scores.sums, expected, rtol=1e-5)
    assert left == pytest.approx(1 - expected.sum(), abs=1e-5)


def test_user_cosine_is_the_formula(world: Ranking) -> None:
    history = [1, 2, 4, 8, 16]
    weights = np.zeros(50)
    weights[history] = signals.exponential_weights(5)
    chosen = (world.filters.user_items.toarray() > 0).astype(float)
    similarity = [
        sum(weights[item] * row[item] for item in range(50)) / np.sqrt(sum(weights**2) * sum(row**2))
        for row in chosen
    ]
    near = np.argsort(similarity)[::-1][: signals.NEIGHBOURS]
    expected = [
        sum(similarity[user] * chosen[user, item] for user in near)
        / sum(abs(similarity[user]) for user in near)
        for item in range(50)
    ]
    found = signals.user_cosine(world.filters, query(world, history)).sums
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_votes_on_a_large_catalog_are_votes_on_a_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(4)
    rows = SparseScores.of(
        generator.integers(0, 90, 500).astype(np.int32), generator.random(500, np.float32), 100
    )
    items = generator.permutation(100)[:40].astype(np.int32)
    sums = rows.to_dense()
    assert isinstance(sums, DenseScores)
    for some in (items, items[::-1]):
        np.testing.assert_allclose(rows.at(some), sums.at(some), rtol=1e-6)
    assert set(rows.top_k(20).tolist()) == set(sums.top_k(20).tolist())
    assert rows.total == pytest.approx(sums.total)
    monkeypatch.setattr(sparse_scores, "DENSE_ITEMS", 10)
    assert rows.to_dense() is rows


def test_equals_of_the_last_of_the_strongest_are_among_them() -> None:
    scores = np.array([3, 0, 2, 2, 1, -1], np.float32)
    assert among_top_k(scores, 2).tolist() == [True, False, True, True, False, False]
    assert among_top_k(scores, 5).tolist() == [True, False, True, True, True, False]
    assert among_top_k(scores, 9, -np.inf).all()


def test_als_of_some_items_is_als_of_all(world: Ranking) -> None:
    every, asked = np.arange(50, dtype=np.int32), query(world, [3, 9, 3])
    whole = signals.als(world.filters, asked, every)
    assert whole is not None
    for items in (every[::-1], every[7:9]):
        found = signals.als(world.filters, asked, items)
        np.testing.assert_allclose(found, whole[items], rtol=1e-5)  # type: ignore[arg-type]


def test_als_hears_only_what_is_audible(world: Ranking) -> None:
    history = np.random.default_rng(1).integers(0, 50, 200).tolist()
    long, short = (
        signals.als(world.filters, query(world, part), np.arange(50, dtype=np.int32))
        for part in (history, history[-64:])
    )
    np.testing.assert_array_equal(long, short)  # type: ignore[arg-type]


def test_als_says_nothing_after_no_history(world: Ranking) -> None:
    found = signals.als(world.filters, query(world, []), np.arange(50, dtype=np.int32))
    assert found is not None
    assert not found.any()


def test_nothing_is_said_after_no_history(world: Ranking) -> None:
    asked = query(world, [])
    assert signals.transitions(world.filters, asked)[1] == 1
    for said in (
        signals.transitions(world.filters, asked)[0],
        signals.item_cosine(world.filters, asked),
        signals.user_cosine(world.filters, asked),
        signals.ease(world.filters, asked),
    ):
        assert said is not None
        assert not said.sums.any()


def test_one_query_may_be_put_to_two_releases(world: Ranking) -> None:
    other = ranking(50, seed=1)
    asked = query(world, [5, 6])
    first = signals.item_cosine(world.filters, asked).sums
    second = signals.item_cosine(other.filters, asked).sums
    np.testing.assert_allclose(second, signals.item_cosine(other.filters, query(other, [5, 6])).sums)
    assert not np.allclose(first, second)


def test_a_query_is_worked_out_once(world: Ranking) -> None:
    asked = query(world, [5, 6])
    assert signals.user_cosine(world.filters, asked) is signals.user_cosine(world.filters, asked)


def test_content_cosine_of_the_article() -> None:
    """x against y1, y2, y3 gives .900, .906, .859, so y2 comes first and y3 last."""
    features = np.array(
        [[0.1, 0.3, 0.2, 0.4], [0.2, 0.1, 0.3, 0.4], [0.3, 0.2, 0.1, 0.5], [0.4, 0.3, 0.2, 0.3]], np.float32
    )
    content = csr_array(features / np.linalg.norm(features, axis=1, keepdims=True))
    asked = Query(np.array([0], np.int32), np.array([0]), None, now=0)
    likeness = content @ signals.content_profile(content, asked)
    np.testing.assert_allclose(likeness, [1, 0.900, 0.906, 0.859], atol=5e-4)


def test_unused_query_fields_do_not_matter() -> None:
    world = ranking(20)
    early = Query(np.array([1], np.int32), np.array([0]), None, now=0)
    late = Query(np.array([1], np.int32), np.array([9]), None, now=99)
    np.testing.assert_array_equal(
        signals.item_cosine(world.filters, early).sums, signals.item_cosine(world.filters, late).sums
    )
