"""Tests of the features, of their blend, and of releases without some of them."""

import gc
import weakref

import numpy as np
import pytest

from serving.ranking import source_scores, sparse_scores
from serving.ranking.blend_features import FEATURES
from serving.ranking.fold_in import fold_in
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.request import Request
from serving.ranking.reranking import Reranker
from tests.serving.rankings import query, ranking

ALL = np.arange(60, dtype=np.int32)


def blend(**weights: float) -> dict[str, list[object]]:
    return {"features": list(weights), "weights": list(weights.values())}


def column(features: np.ndarray, name: str) -> np.ndarray:
    return features[:, FEATURES.index(name)]


def test_features_equal_brute_force() -> None:
    world = ranking(60)
    world_query, filters = query(world, [4, 8, 4, 15]), world.filters
    history, weights = world_query.history, source_scores.exponential_weights(4)
    features = Reranker(world).features(world_query, ALL)
    assert features.shape == (60, len(FEATURES))
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    share = (filters.popularity + 0.5) / (filters.popularity + 0.5).sum()
    transitions = source_scores.power_weights(4) @ filters.transitions.toarray()[history]
    expected = {
        "interest": world.item_embeddings @ np.asarray(world_query.interest),
        "transitions": np.log(transitions + (1 - transitions.sum()) * share),
        "item_cosine": weights @ filters.item_cosine.toarray()[history],
        "ease": weights @ filters.ease.toarray()[history],  # type: ignore[union-attr]
        "als": filters.als @ fold_in(filters.als, history, np.float32(0.93) ** np.arange(3, -1, -1)),  # type: ignore[arg-type,operator]
        "popularity": np.log(share),
        "repeats": np.bincount([4, 8, 4, 15], [1 / 4, 1 / 3, 1 / 2, 1], 60) / (1 / 4 + 1 / 3 + 1 / 2 + 1),
    }
    expected["interest"] -= np.log(np.exp(expected["interest"]).sum())
    for name, values in expected.items():
        np.testing.assert_allclose(column(features, name), values, rtol=2e-3, atol=1e-5, err_msg=name)


def test_content_is_the_cosine_of_categories() -> None:
    world = ranking(60)  # item 1 is a comedy, item 3 action and drama, item 4 a drama
    content = column(Reranker(world).features(query(world, [1]), ALL), "content")
    np.testing.assert_allclose(content[[1, 5, 4]], [1, 1, 0], atol=1e-6)
    assert content[0] == pytest.approx(2**-0.5)  # drama and comedy


@pytest.mark.parametrize("size", [1, 7, 60])
def test_features_of_some_items_equal_those_among_all_items(size: int) -> None:
    world = ranking(60)
    items = np.random.default_rng(1).permutation(60)[:size].astype(np.int32)
    world_query = query(world, [2, 3, 5])
    some, whole = (
        Reranker(world).features(world_query, items),
        Reranker(world).features(world_query, ALL)[items],
    )
    shift = column(some, "interest") - column(whole, "interest")
    np.testing.assert_allclose(shift, shift[0], atol=1e-5)
    np.testing.assert_allclose(some[:, 1:], whole[:, 1:], rtol=1e-5, atol=1e-7)


def test_features_of_a_large_catalog_equal_those_of_a_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    world, items = ranking(60), np.array([50, 3, 17, 4], np.int32)
    small = Reranker(world).features(query(world, [2, 3, 5]), items)
    monkeypatch.setattr(sparse_scores, "DENSE_ITEMS", 10)
    large = Reranker(world).features(query(world, [2, 3, 5]), items)
    np.testing.assert_allclose(large, small, rtol=1e-5, atol=1e-7)


def test_scores_are_the_weighted_sum_of_scaled_features() -> None:
    world = ranking(
        60,
        blend={
            "features": ["ease", "interest"],
            "weights": [2.0, 3.0],
            "means": [0.5, -4.0],
            "scales": [0.1, 2.0],
        },
    )
    world_query = query(world, [7, 9])
    reranker = Reranker(world)
    features = reranker.features(world_query, ALL)
    expected = 2 * (column(features, "ease") - 0.5) / 0.1 + 3 * (column(features, "interest") + 4) / 2
    np.testing.assert_allclose(reranker.scores(world_query, ALL), expected, rtol=1e-4, atol=1e-4)
    scored = reranker.score(world_query, ALL)
    contributions = scored.contributions(ALL.astype(np.intp))
    np.testing.assert_allclose(contributions.sum(axis=1), expected, rtol=1e-4, atol=1e-4)
    assert not column(contributions, "trend").any()
    share = np.arange(60, dtype=np.float32)
    np.testing.assert_allclose(
        scored.mean_contributions(share), share @ contributions / share.sum(), atol=1e-3
    )


def test_a_feature_without_weight_is_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    world = ranking(60, blend=blend(interest=1.0, user_cosine=0.0))
    monkeypatch.setattr(source_scores, "user_cosine", lambda *_: pytest.fail("computed"))
    assert len(Reranker(world).scores(query(world, [1]), ALL)) == 60


def test_the_other_features_decide_without_an_interest() -> None:
    weights = {"interest": 1.0, "transitions": 1.0}
    with_interest, without = ranking(60, blend=blend(**weights)), ranking(60, blend=blend(transitions=1.0))
    scores = Reranker(with_interest).scores(query(with_interest, [4, 8], interest=False), ALL)
    np.testing.assert_allclose(scores, Reranker(without).scores(query(without, [4, 8]), ALL), rtol=1e-6)


def test_popularity_decides_without_history_and_interest() -> None:
    world = ranking(60, blend=blend(**dict.fromkeys(FEATURES, 1.0)))
    world.filters.trend[:] = world.filters.popularity
    scores = Reranker(world).scores(query(world, [], interest=False), ALL)
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(
        np.argsort(-scores, kind="stable"), np.argsort(-world.filters.popularity, kind="stable")
    )


def test_ease_is_zero_in_a_release_without_it() -> None:
    world = ranking(60)
    object.__setattr__(world.filters, "ease", None)
    assert not column(Reranker(world).features(query(world, [4]), ALL), "ease").any()


def test_als_is_zero_in_a_release_without_it() -> None:
    world = ranking(60)
    object.__setattr__(world.filters, "als", None)
    assert not column(Reranker(world).features(query(world, [4]), ALL), "als").any()


def test_no_candidates_give_no_scores() -> None:
    world = ranking(60, blend=blend(**dict.fromkeys(FEATURES, 1.0)))
    assert Reranker(world).scores(query(world, [4]), ALL[:0]).shape == (0,)


def test_the_item_of_a_catalog_of_one_gets_a_score() -> None:
    world = ranking(1, blend=blend(**dict.fromkeys(FEATURES, 1.0)))
    assert np.isfinite(Reranker(world).scores(query(world, [0]), ALL[:1])).all()


def test_a_blend_with_an_unknown_feature_is_rejected() -> None:
    with pytest.raises(ValueError, match="'magic'"):
        Reranker(ranking(5, blend=blend(magic=1.0)))


def test_a_release_is_freed_without_the_garbage_collector() -> None:
    """The collector skips releases, so that a reference cycle in one would leak it at each new version."""
    gc.collect()
    gc.disable()
    try:
        release = LoadedRelease(ranking(60, blend=blend(**dict.fromkeys(FEATURES, 1.0))))
        world_query = query(release.ranking, [4, 8])
        candidates = release.retriever.retrieve(world_query)
        release.present(
            world_query, ["view"] * 2, release.rank(world_query, candidates, Request("", k=5)), explain=True
        )
        parts = [
            weakref.ref(part) for part in (release, release.ranking, release.reranker, release.explainer)
        ]
        del release, candidates, world_query
        assert [part() for part in parts] == [None] * 4
    finally:
        gc.enable()
