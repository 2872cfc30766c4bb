"""Tests of candidate retrieval: all items of a small catalog, the top items of each source of a large one."""

import numpy as np
import pytest

from serving.answers import Source
from serving.ranking import candidate_retrieval, source_scores, sparse_scores
from serving.ranking.candidate_retrieval import Retriever
from serving.ranking.candidate_set import Candidates, SourceBits, source_bits
from serving.ranking.nearest_items import NearestItems
from serving.release.ranking_data import Ranking
from tests.serving.rankings import query, ranking

PER_SOURCE = 15


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> Ranking:
    """A catalog that counts as large."""
    monkeypatch.setattr(candidate_retrieval, "EXHAUSTIVE_ITEMS", 10)
    monkeypatch.setattr(sparse_scores, "DENSE_ITEMS", 10)
    return ranking(400)


def returned_by(candidates: Candidates, source: Source) -> set[int]:
    return set(candidates.items[(candidates.sources & source_bits((source,))) > 0].tolist())


def top(scores: np.ndarray, count: int) -> set[int]:
    order = np.argsort(-scores, kind="stable")[:count]
    return {int(item) for item in order if scores[item] > 0}


@pytest.mark.parametrize("history", [[], [3], list(range(200))])
def test_every_item_of_a_small_catalog_is_a_candidate(history: list[int]) -> None:
    world = ranking(300)
    candidates = Retriever(world).retrieve(query(world, history))
    np.testing.assert_array_equal(candidates.items, np.arange(300))
    assert candidates.items.dtype == np.int32
    assert candidates.sources.dtype == SourceBits


@pytest.mark.parametrize("size", ["small", "large"])
def test_each_source_returns_what_brute_force_returns(size: str, request: pytest.FixtureRequest) -> None:
    world = request.getfixturevalue("large") if size == "large" else ranking(400)
    filters, world_query = world.filters, query(world, [5, 17, 200, 8])
    candidates = Retriever(world, PER_SOURCE).retrieve(world_query)
    weights, history = source_scores.exponential_weights(4), world_query.history
    assert world_query.interest is not None
    brute_force = {
        Source.INTEREST: np.exp(world.item_embeddings @ world_query.interest),
        Source.TRANSITIONS: source_scores.power_weights(4) @ filters.transitions.toarray()[history],
        Source.ITEM_COSINE: weights @ filters.item_cosine.toarray()[history],
        Source.EASE: weights @ filters.ease.toarray()[history],  # type: ignore[union-attr]
    }
    for source, scores in brute_force.items():
        assert returned_by(candidates, source) == top(scores, PER_SOURCE), source
    popular = filters.popularity[sorted(returned_by(candidates, Source.POPULARITY))]
    assert popular.min() >= np.sort(filters.popularity)[-PER_SOURCE]


def test_candidates_are_distinct_and_each_has_a_source(large: Ranking) -> None:
    candidates = Retriever(large, PER_SOURCE).retrieve(query(large, [1, 2, 3]))
    assert (np.diff(candidates.items) > 0).all()
    assert candidates.sources.all()
    assert len(candidates.items) < 400


def test_fresh_items_are_returned_by_their_content(large: Ranking) -> None:
    # Items 1, 5, 9 … are comedies; those never chosen are fresh.
    large.filters.popularity[:] = 50
    large.filters.popularity[[41, 45, 42]] = 0
    comedies = query(large, [1, 5, 13])
    fresh = returned_by(Retriever(large, per_source=10).retrieve(comedies), Source.FRESH)
    assert fresh == {41, 45}


def test_the_filters_return_items_without_an_interest(large: Ranking) -> None:
    candidates = Retriever(large, PER_SOURCE).retrieve(query(large, [1, 2], interest=False))
    assert not returned_by(candidates, Source.INTEREST)
    assert len(returned_by(candidates, Source.TRANSITIONS)) == PER_SOURCE


def test_popular_and_trending_items_are_returned_without_history_and_interest(large: Ranking) -> None:
    candidates = Retriever(large, PER_SOURCE).retrieve(query(large, [], interest=False))
    popular, trending = (returned_by(candidates, source) for source in (Source.POPULARITY, Source.TREND))
    assert set(candidates.items.tolist()) == popular | trending


def test_a_catalog_of_one_item_is_retrieved() -> None:
    world = ranking(1)
    candidates = Retriever(world).retrieve(query(world, [0]))
    assert candidates.items.tolist() == [0]
    assert returned_by(candidates, Source.INTEREST)


def test_exact_search_is_exact() -> None:
    embeddings = np.random.default_rng(6).normal(size=(500, 16)).astype(np.float32)
    index = NearestItems(embeddings)
    expected = np.argsort(-(embeddings @ embeddings[3]))[:20]
    np.testing.assert_array_equal(index.search(embeddings[3], 20), expected)
    assert len(index.search(embeddings[3], 900)) == 500


def test_a_search_of_many_finds_what_the_search_of_each_finds() -> None:
    embeddings = np.random.default_rng(6).normal(size=(500, 16)).astype(np.float32)
    index = NearestItems(embeddings)
    together = index.search_all(embeddings[:40], 20)
    assert [own.tolist() for own in together] == [index.search(own, 20).tolist() for own in embeddings[:40]]


def test_queries_that_are_searched_together_get_the_candidates_of_each_alone(large: Ranking) -> None:
    interests = np.random.default_rng(7).normal(size=(30, large.item_embeddings.shape[1])).astype(np.float32)
    retriever = Retriever(large, PER_SOURCE)
    alone = [retriever.retrieve(query(large, [5]).with_interest(interest)) for interest in interests]
    queries = [query(large, [5]).with_interest(interest) for interest in interests]

    retriever.search_together([*queries, query(large, [5])])

    assert retriever._nearest is not None
    retriever._nearest.search = None  # type: ignore[method-assign, assignment]  # a search of one would fail
    for one, own in zip(alone, queries, strict=True):
        candidates = retriever.retrieve(own)
        np.testing.assert_array_equal(candidates.items, one.items)
        assert returned_by(candidates, Source.INTEREST) == returned_by(one, Source.INTEREST)


@pytest.mark.parametrize("size", ["small", "large"])
def test_a_source_without_weight_is_used_only_if_requested(
    size: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if size == "large":
        monkeypatch.setattr(candidate_retrieval, "EXHAUSTIVE_ITEMS", 10)
    blend = {"features": ["interest", "transitions", "item_cosine"], "weights": [1.0, 0.5, 0.0]}
    world = ranking(400, blend=blend)
    retriever = Retriever(world, PER_SOURCE)
    candidates = retriever.retrieve(query(world, [5, 17]))
    assert returned_by(candidates, Source.TRANSITIONS)
    assert not returned_by(candidates, Source.ITEM_COSINE) | returned_by(candidates, Source.USER_COSINE)
    requested = int(source_bits((Source.ITEM_COSINE,)))
    candidates = retriever.retrieve(query(world, [5, 17]), requested)
    assert len(returned_by(candidates, Source.ITEM_COSINE)) == PER_SOURCE
    assert not returned_by(candidates, Source.USER_COSINE)


@pytest.mark.parametrize("size", ["small", "large"])
def test_some_items_have_the_sources_that_they_have_among_all(
    size: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if size == "large":
        monkeypatch.setattr(candidate_retrieval, "EXHAUSTIVE_ITEMS", 10)
    world = ranking(400)
    candidates = Retriever(world, PER_SOURCE).retrieve(query(world, [5, 17, 200]))
    some = np.array([7, 3, 60])
    np.testing.assert_array_equal(candidates.sources_of(candidates.items[some]), candidates.sources[some])


def test_an_item_that_is_no_candidate_has_no_source() -> None:
    items = np.array([2, 5], np.int32)
    candidates = Candidates.of(items, np.array([1, 6], SourceBits))
    assert candidates.sources_of(np.array([5, 4, 2, 9], np.int32)).tolist() == [6, 0, 1, 0]
    assert Candidates.of(items[:0], candidates.sources[:0]).sources_of(items).tolist() == [0, 0]


def test_a_union_adds_its_source_to_those_of_the_candidates() -> None:
    candidates = Candidates.of(np.array([1, 3], np.int32), np.array([1, 2], SourceBits))
    union = candidates.union(np.array([3, 2], np.int32), Source.FRESH)
    fresh = source_bits((Source.FRESH,))
    assert union.items.tolist() == [1, 2, 3]
    assert union.sources.tolist() == [1, fresh, 2 | fresh]
