"""Tests of source scores against naive loops."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from serving.ranking import source_scores, sparse_scores
from serving.ranking.fold_in import falls_without_each, fold_in
from serving.ranking.sparse_scores import DenseScores, SparseScores
from serving.ranking.top_k import among_top_k
from serving.release.ranking_data import Ranking
from tests.serving.rankings import query, ranking

EMPTY = np.empty(0, np.int32)


@pytest.fixture
def world() -> Ranking:
    return ranking(50)


def indexes(*items: int) -> np.ndarray:
    return np.array(items, np.int32)


def test_power_weights_fall_with_age() -> None:
    expected = np.array([3**-1.5, 2**-1.5, 1])
    np.testing.assert_allclose(source_scores.power_weights(3), expected / expected.sum(), rtol=1e-6)


def test_exponential_weights_end_at_the_minimum() -> None:
    weights = source_scores.exponential_weights(200)
    assert len(weights) == 64  # 0.93 ** 63 is the last above 1 %
    np.testing.assert_allclose(weights[:-1] / weights[1:], 0.93, rtol=1e-5)
    assert weights.sum() == pytest.approx(1)


def test_transitions_are_the_weighted_mean_of_rows_and_return_the_remaining_mass(world: Ranking) -> None:
    rows = world.filters.transitions.toarray()
    scores, remaining = source_scores.transitions(world.filters, indexes(3, 9))
    expected = (2**-1.5 * rows[3] + rows[9]) / (1 + 2**-1.5)
    np.testing.assert_allclose(scores.sums, expected, rtol=1e-5)
    assert remaining == pytest.approx(1 - expected.sum(), abs=1e-5)


def test_user_cosine_equals_the_formula(world: Ranking) -> None:
    history = [1, 2, 4, 8, 16]
    weights = np.zeros(50)
    weights[history] = source_scores.exponential_weights(5)
    ratings = world.filters.user_items.toarray().astype(float)
    similarity = [
        sum(weights[item] * row[item] for item in range(50)) / np.sqrt(sum(weights**2) * sum(row**2))
        for row in ratings
    ]
    nearest = np.argsort(similarity)[::-1][: source_scores.USER_NEIGHBOURS]
    expected = [
        sum(similarity[user] * ratings[user, item] for user in nearest)
        / sum(abs(similarity[user]) for user in nearest)
        for item in range(50)
    ]
    scores = source_scores.user_cosine(world.filters, indexes(*history)).sums
    np.testing.assert_allclose(scores, expected, rtol=1e-4)


def test_sparse_scores_equal_dense_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(4)
    sparse = SparseScores.of(
        generator.integers(0, 90, 500).astype(np.int32), generator.random(500, np.float32), 100
    )
    items = generator.permutation(100)[:40].astype(np.int32)
    dense = sparse.to_dense()
    assert isinstance(dense, DenseScores)
    for some in (items, items[::-1]):
        np.testing.assert_allclose(sparse.at(some), dense.at(some), rtol=1e-6)
    assert set(sparse.top_k(20).tolist()) == set(dense.top_k(20).tolist())
    assert sparse.total == pytest.approx(dense.total)
    monkeypatch.setattr(sparse_scores, "DENSE_ITEMS", 10)
    assert sparse.to_dense() is sparse


def test_entries_without_an_item_count_only_in_the_total() -> None:
    sparse = SparseScores.of(indexes(2, 5, 5, 0), np.array([1, 9, 9, 2], np.float32), 5)
    dense = sparse.to_dense()
    np.testing.assert_array_equal(dense.sums, [2, 0, 1, 0, 0])
    for scores in (sparse, dense):
        assert scores.total == 21
        np.testing.assert_array_equal(scores.at(indexes(0, 2, 4)), [2, 1, 0])
        assert set(scores.top_k(3).tolist()) == {0, 2}


def test_among_top_k_includes_ties_of_the_last() -> None:
    scores = np.array([3, 0, 2, 2, 1, -1], np.float32)
    assert among_top_k(scores, 2).tolist() == [True, False, True, True, False, False]
    assert among_top_k(scores, 5).tolist() == [True, False, True, True, True, False]
    assert among_top_k(scores, 9, -np.inf).all()


def test_als_user_ignores_interactions_below_the_minimum_weight(world: Ranking) -> None:
    history, factors = np.random.default_rng(1).integers(0, 50, 200).astype(np.int32), world.filters.als
    assert factors is not None
    whole, last = (source_scores.als_user(factors, part) for part in (history, history[-64:]))
    np.testing.assert_array_equal(whole, last)


def test_scores_are_zero_without_a_history(world: Ranking) -> None:
    filters = world.filters
    assert filters.als is not None
    assert not source_scores.als_user(filters.als, EMPTY).any()
    transitions, remaining = source_scores.transitions(filters, EMPTY)
    assert remaining == 1
    for scores in (
        transitions,
        source_scores.item_cosine(filters, EMPTY),
        source_scores.user_cosine(filters, EMPTY),
        source_scores.ease(filters, EMPTY),
    ):
        assert scores is not None
        assert not scores.sums.any()


def test_content_profile_gives_the_cosines_of_the_article() -> None:
    """x against y1, y2, y3 gives .900, .906, .859, so y2 is first and y3 last."""
    features = np.array(
        [[0.1, 0.3, 0.2, 0.4], [0.2, 0.1, 0.3, 0.4], [0.3, 0.2, 0.1, 0.5], [0.4, 0.3, 0.2, 0.3]], np.float32
    )
    content = csr_array(features / np.linalg.norm(features, axis=1, keepdims=True))
    cosines = content @ source_scores.content_profile(content, indexes(0))
    np.testing.assert_allclose(cosines, [1, 0.900, 0.906, 0.859], atol=5e-4)


def test_als_scores_of_some_items_equal_those_of_all(world: Ranking) -> None:
    items, world_query = np.arange(50, dtype=np.int32), query(world, [3, 9, 3])
    all_scores = world_query.als(items)
    assert all_scores is not None
    for some in (items[::-1], items[7:9]):
        np.testing.assert_allclose(world_query.als(some), all_scores[some], rtol=1e-5)  # type: ignore[arg-type]


def test_logits_of_few_items_equal_those_of_all(world: Ranking) -> None:
    items, world_query = np.arange(50, dtype=np.int32), query(world, [3, 9])
    for some in (items[::-1], items[7:9]):
        np.testing.assert_allclose(world_query.logits_of(some), world_query.logits()[some], rtol=1e-5)


def test_a_query_computes_each_score_once(world: Ranking) -> None:
    world_query = query(world, [5, 6], interest=False)
    scores = world_query.user_cosine()
    assert world_query.user_cosine() is scores
    with_interest = world_query.with_interest(np.ones(8, np.float32))
    assert with_interest.user_cosine() is scores
    assert with_interest.item_cosine() is world_query.item_cosine()


def test_queries_with_different_interests_share_no_logits(world: Ranking) -> None:
    world_query = query(world, [5, 6], interest=False)
    ones = world_query.with_interest(np.ones(8, np.float32)).logits()
    minus_ones = world_query.with_interest(-np.ones(8, np.float32)).logits()
    np.testing.assert_allclose(ones, -minus_ones, rtol=1e-6)


def test_falls_without_each_equal_a_fold_in_without_the_item() -> None:
    generator = np.random.default_rng(0)
    factors = generator.normal(size=(20, 4)).astype(np.float32)
    # Item 3 was chosen twice, item 9 not at all.
    items, left_out = np.array([3, 5, 7, 3, 8], np.int32), np.array([3, 7, 9], np.int32)
    strengths = np.array([1, 0.9, 0.5, 0.7, 0.6], np.float32)
    falls = falls_without_each(factors, items, strengths, left_out)
    for item, fall in zip(left_out, falls, strict=True):
        kept = items != item
        without = fold_in(factors, items[kept], strengths[kept])
        np.testing.assert_allclose(fall, fold_in(factors, items, strengths) - without, atol=1e-5)
