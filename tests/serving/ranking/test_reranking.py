"""Scores of candidates: each term, their blend, and what is left when a part is missing."""

import gc
import weakref

import numpy as np
import pytest

from serving.ranking import signals, sparse_scores
from serving.ranking.fold_in import fold_in
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.request import Request
from serving.ranking.reranking import FEATURES, Reranker
from tests.serving.rankings import query, ranking

ALL = np.arange(60, dtype=np.int32)


def blend(**weights: float) -> dict[str, list[object]]:
    return {"features": list(weights), "weights": list(weights.values())}


def column(features: np.ndarray, term: str) -> np.ndarray:
    return features[:, FEATURES.index(term)]


def test_features_are_what_each_term_says() -> None:
    world = ranking(60)
    asked, filters = query(world, [4, 8, 4, 15]), world.filters
    features = Reranker(world).features(asked, ALL)
    assert features.shape == (60, len(FEATURES))
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    share = (filters.popularity + 0.5) / (filters.popularity + 0.5).sum()
    followed = signals.recent(4) @ filters.transitions.toarray()[asked.history]
    expected = {
        "interest": world.item_embeddings @ np.asarray(asked.interest),
        "transitions": np.log(followed + (1 - followed.sum()) * share),
        "item_cosine": signals.exponential_weights(4) @ filters.item_cosine.toarray()[asked.history],
        "ease": signals.exponential_weights(4) @ filters.ease.toarray()[asked.history],  # type: ignore[union-attr]
        "als": filters.als @ fold_in(filters.als, asked.history, np.float32(0.93) ** np.arange(3, -1, -1)),  # type: ignore[arg-type,operator]
        "popularity": np.log(share),
        "repeats": np.bincount([4, 8, 4, 15], [1 / 4, 1 / 3, 1 / 2, 1], 60) / (1 / 4 + 1 / 3 + 1 / 2 + 1),
    }
    expected["interest"] -= np.log(np.exp(expected["interest"]).sum())
    for term, values in expected.items():
        np.testing.assert_allclose(column(features, term), values, rtol=2e-3, atol=1e-5, err_msg=term)


def test_content_is_the_cosine_of_categories() -> None:
    world = ranking(60)  # item 1 is a comedy, item 3 action and drama, item 4 a drama
    content = column(Reranker(world).features(query(world, [1]), ALL), "content")
    np.testing.assert_allclose(content[[1, 5, 4]], [1, 1, 0], atol=1e-6)
    assert content[0] == pytest.approx(2**-0.5)  # drama and comedy


@pytest.mark.parametrize("size", [1, 7, 60])
def test_some_items_score_as_they_do_among_all(size: int) -> None:
    world = ranking(60)
    items = np.random.default_rng(1).permutation(60)[:size].astype(np.int32)
    asked = query(world, [2, 3, 5])
    some, whole = Reranker(world).features(asked, items), Reranker(world).features(asked, ALL)[items]
    shift = column(some, "interest") - column(whole, "interest")
    np.testing.assert_allclose(shift, shift[0], atol=1e-5)
    np.testing.assert_allclose(some[:, 1:], whole[:, 1:], rtol=1e-5, atol=1e-7)


def test_a_large_catalog_scores_as_a_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    world, items = ranking(60), np.array([50, 3, 17, 4], np.int32)
    small = Reranker(world).features(query(world, [2, 3, 5]), items)
    monkeypatch.setattr(sparse_scores, "DENSE_ITEMS", 10)
    large = Reranker(world).features(query(world, [2, 3, 5]), items)
    np.testing.assert_allclose(large, small, rtol=1e-5, atol=1e-7)


def test_scores_are_the_blend_of_calibrated_terms() -> None:
    world = ranking(
        60,
        blend={
            "features": ["ease", "interest"],
            "weights": [2.0, 3.0],
            "means": [0.5, -4.0],
            "scales": [0.1, 2.0],
        },
    )
    asked = query(world, [7, 9])
    reranker = Reranker(world)
    features = reranker.features(asked, ALL)
    expected = 2 * (column(features, "ease") - 0.5) / 0.1 + 3 * (column(features, "interest") + 4) / 2
    np.testing.assert_allclose(reranker.scores(asked, ALL), expected, rtol=1e-4, atol=1e-4)
    weighed = reranker.score(asked, ALL)
    contributions = weighed.contributions(ALL)
    np.testing.assert_allclose(contributions.sum(axis=1), expected, rtol=1e-4, atol=1e-4)
    assert not column(contributions, "trend").any()
    share = np.arange(60, dtype=np.float32)
    np.testing.assert_allclose(
        weighed.mean_contributions(share), share @ contributions / share.sum(), atol=1e-3
    )


def test_a_term_without_weight_is_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    world = ranking(60, blend=blend(interest=1.0, user_cosine=0.0))
    monkeypatch.setattr(signals, "user_cosine", lambda *_: pytest.fail("computed"))
    assert len(Reranker(world).scores(query(world, [1]), ALL)) == 60


def test_without_interest_the_other_terms_decide() -> None:
    weights = {"interest": 1.0, "transitions": 1.0}
    with_interest, without = ranking(60, blend=blend(**weights)), ranking(60, blend=blend(transitions=1.0))
    scores = Reranker(with_interest).scores(query(with_interest, [4, 8], interest=False), ALL)
    np.testing.assert_allclose(scores, Reranker(without).scores(query(without, [4, 8]), ALL), rtol=1e-6)


def test_without_history_and_interest_popularity_decides() -> None:
    world = ranking(60, blend=blend(**dict.fromkeys(FEATURES, 1.0)))
    world.filters.trend[:] = world.filters.popularity
    scores = Reranker(world).scores(query(world, [], interest=False), ALL)
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(
        np.argsort(-scores, kind="stable"), np.argsort(-world.filters.popularity, kind="stable")
    )


def test_a_release_without_ease_says_nothing_of_it() -> None:
    world = ranking(60)
    object.__setattr__(world.filters, "ease", None)
    assert not column(Reranker(world).features(query(world, [4]), ALL), "ease").any()


def test_a_release_without_als_says_nothing_of_it() -> None:
    world = ranking(60)
    object.__setattr__(world.filters, "als", None)
    assert not column(Reranker(world).features(query(world, [4]), ALL), "als").any()


def test_no_candidates_no_scores() -> None:
    world = ranking(60, blend=blend(**dict.fromkeys(FEATURES, 1.0)))
    assert Reranker(world).scores(query(world, [4]), ALL[:0]).shape == (0,)


def test_a_catalog_of_one_item_scores_it() -> None:
    world = ranking(1, blend=blend(**dict.fromkeys(FEATURES, 1.0)))
    assert np.isfinite(Reranker(world).scores(query(world, [0]), ALL[:1])).all()


def test_a_blend_with_a_foreign_term_is_refused() -> None:
    with pytest.raises(ValueError, match="'magic'"):
        Reranker(ranking(5, blend=blend(magic=1.0)))


def test_a_release_is_freed_without_the_collector() -> None:
    """Which is kept off releases: a cycle in one would keep all of it, each night once more."""
    gc.collect()
    gc.disable()
    try:
        release = LoadedRelease(ranking(60, blend=blend(**dict.fromkeys(FEATURES, 1.0))))
        asked = query(release.ranking, [4, 8])
        candidates = release.retriever.retrieve(asked)
        release.present(asked, ["view"] * 2, release.rank(asked, candidates, Request("", k=5)), explain=True)
        parts = [weakref.ref(part) for part in (release, release.ranking, release.reranker, release.reasons)]
        del release, candidates, asked
        assert [part() for part in parts] == [None] * 4
    finally:
        gc.enable()
