"""Candidates: every item of a small catalog, the right ones of a large one."""

import numpy as np
import pytest

from serving.ranking import retrieval, signals, sparse_scores
from serving.ranking.nearest_items import NearestItems
from serving.ranking.retrieval import SOURCES, Candidates, Retriever, SourceBits
from serving.release.ranking_data import Ranking
from tests.serving.rankings import query, ranking

PER_SOURCE = 15


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> Ranking:
    """A catalog that counts as large."""
    monkeypatch.setattr(retrieval, "EXHAUSTIVE_ITEMS", 10)
    monkeypatch.setattr(sparse_scores, "DENSE_ITEMS", 10)
    return ranking(400)


def named_by(candidates: Candidates, source: str) -> set[int]:
    bit = 1 << SOURCES.index(source)
    return set(candidates.items[(candidates.sources & bit) > 0].tolist())


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
def test_each_source_names_what_brute_force_names(size: str, request: pytest.FixtureRequest) -> None:
    world = request.getfixturevalue("large") if size == "large" else ranking(400)
    filters, asked = world.filters, query(world, [5, 17, 200, 8])
    candidates = Retriever(world, PER_SOURCE).retrieve(asked)
    faded = signals.exponential_weights(4)
    assert asked.interest is not None
    brute = {
        "interest": np.exp(world.item_embeddings @ asked.interest),
        "transitions": signals.recent(4) @ filters.transitions.toarray()[asked.history],
        "item_cosine": faded @ filters.item_cosine.toarray()[asked.history],
        "ease": faded @ world.filters.ease.toarray()[asked.history],  # type: ignore[union-attr]
    }
    for source, scores in brute.items():
        assert named_by(candidates, source) == top(scores, PER_SOURCE), source
    popular = filters.popularity[sorted(named_by(candidates, "popularity"))]
    assert popular.min() >= np.sort(filters.popularity)[-PER_SOURCE]


def test_candidates_are_distinct_and_each_is_named(large: Ranking) -> None:
    candidates = Retriever(large, PER_SOURCE).retrieve(query(large, [1, 2, 3]))
    assert (np.diff(candidates.items) > 0).all()
    assert candidates.sources.all()
    assert len(candidates.items) < 400


def test_fresh_items_are_named_by_their_content(large: Ranking) -> None:
    # Items 1, 5, 9 … are comedies; those never chosen are fresh.
    large.filters.popularity[:] = 50
    large.filters.popularity[[41, 45, 42]] = 0
    comedies = query(large, [1, 5, 13])
    fresh = named_by(Retriever(large, per_source=10).retrieve(comedies), "fresh")
    assert fresh == {41, 45}


def test_without_interest_the_filters_still_name(large: Ranking) -> None:
    candidates = Retriever(large, PER_SOURCE).retrieve(query(large, [1, 2], interest=False))
    assert not named_by(candidates, "interest")
    assert len(named_by(candidates, "transitions")) == PER_SOURCE


def test_without_history_and_interest_the_popular_are_named(large: Ranking) -> None:
    candidates = Retriever(large, PER_SOURCE).retrieve(query(large, [], interest=False))
    assert set(candidates.items.tolist()) == named_by(candidates, "popularity") | named_by(
        candidates, "trend"
    )


def test_a_catalog_of_one_item() -> None:
    world = ranking(1)
    candidates = Retriever(world).retrieve(query(world, [0]))
    assert candidates.items.tolist() == [0]
    assert "interest" in [source for source in SOURCES if named_by(candidates, source)]


def test_exact_search_is_exact() -> None:
    embeddings = np.random.default_rng(6).normal(size=(500, 16)).astype(np.float32)
    index = NearestItems(embeddings)
    expected = np.argsort(-(embeddings @ embeddings[3]))[:20]
    np.testing.assert_array_equal(index.search(embeddings[3], 20), expected)
    assert len(index.search(embeddings[3], 900)) == 500


@pytest.mark.parametrize("size", ["small", "large"])
def test_a_source_without_weight_is_asked_only_by_name(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if size == "large":
        monkeypatch.setattr(retrieval, "EXHAUSTIVE_ITEMS", 10)
    blend = {"features": ["interest", "transitions", "item_cosine"], "weights": [1.0, 0.5, 0.0]}
    world = ranking(400, blend=blend)
    asking = Retriever(world, PER_SOURCE)
    candidates = asking.retrieve(query(world, [5, 17]))
    assert named_by(candidates, "transitions")
    assert not named_by(candidates, "item_cosine") | named_by(candidates, "user_cosine")
    wanted = asking.retrieve(query(world, [5, 17]), wanted=1 << SOURCES.index("item_cosine"))
    assert len(named_by(wanted, "item_cosine")) == PER_SOURCE
    assert not named_by(wanted, "user_cosine")


@pytest.mark.parametrize("size", ["small", "large"])
def test_some_items_are_named_as_all_of_them_are(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if size == "large":
        monkeypatch.setattr(retrieval, "EXHAUSTIVE_ITEMS", 10)
    world = ranking(400)
    candidates = Retriever(world, PER_SOURCE).retrieve(query(world, [5, 17, 200]))
    places = np.array([7, 3, 60])
    np.testing.assert_array_equal(candidates.naming(candidates.items[places]), candidates.sources[places])


def test_an_item_that_is_no_candidate_is_named_by_none() -> None:
    items = np.array([2, 5], np.int32)
    candidates = Candidates.of(items, np.array([1, 6], SourceBits))
    assert candidates.naming(np.array([5, 4, 2, 9], np.int32)).tolist() == [6, 0, 1, 0]
    assert Candidates.of(items[:0], candidates.sources[:0]).naming(items).tolist() == [0, 0]
