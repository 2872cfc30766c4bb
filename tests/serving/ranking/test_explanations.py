"""Reasons are faithful: without what a reason names, the score of the explained item falls."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from serving.ranking.blend_features import FEATURES
from serving.ranking.explanations import Reason
from serving.ranking.fold_in import falls_without_each
from serving.ranking.influences import Influences
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.query import Query
from serving.ranking.request import Request
from serving.ranking.rules import Rules
from serving.release.arrays import FloatArray, Indexes
from serving.release.ranking_data import Ranking
from tests.named_items import named_items
from tests.serving.rankings import ranking

ITEMS = 60
BY_OTHERS = ("user_cosine", "sequence_knn", "popularity", "trend")
NAMING = tuple(name for name in FEATURES if name not in (*BY_OTHERS, "dislikes", "search"))


def blend(**weights: float) -> dict[str, Any]:
    return {"features": list(weights), "weights": list(weights.values())}


def query_of(shop: Ranking, history: Sequence[int]) -> Query:
    """Return a query whose interest is a mean of the history's embeddings, newer ones weighing more."""
    items = np.array(history, np.int32)
    weights = 0.8 ** np.arange(len(items))[::-1]
    interest = np.average(shop.item_embeddings[items], axis=0, weights=weights).astype(np.float32)
    return Query(shop, items, np.arange(len(items), dtype=np.int64), interest)


def score(shop: Ranking, query: Query, item: int) -> float:
    everything = np.arange(ITEMS, dtype=np.int32)
    return float(LoadedRelease(shop).reranker.scores(query, everything)[item])


def answer(shop: Ranking, query: Query, seen: Indexes, k: int = 10) -> tuple[Indexes, Sequence[Reason]]:
    release = LoadedRelease(shop)
    candidates = release.item_filter.select(Rules(now=0, excluded=seen), release.retriever.retrieve(query), k)
    ranked = release.rank(query, candidates, Request("", k=k))
    events = ["view"] * len(query.history)
    return ranked.items, release.explainer.reasons(
        query, events, ranked.items, ranked.contributions_over_mean, True
    )


def falls(shop: Ranking, history: list[int], feature: str = "") -> list[bool]:
    """Return for each answered item whose reason names past items whether its score falls without them."""
    query, kept_seen = query_of(shop, history), feature == "repeats"
    items, reasons = answer(shop, query, query.history[:0] if kept_seen else query.history)
    found = []
    for item, reason in zip(items.tolist(), reasons, strict=True):
        assert not feature or reason.feature in (feature, "")
        named = named_items(reason, item, history, shop.catalog)
        without = [past for past in history if past not in named]
        if named and without:
            found.append(score(shop, query_of(shop, without), item) < score(shop, query, item))
    return found


def histories(count: int, length: int) -> list[list[int]]:
    generator = np.random.default_rng(3)
    return [generator.permutation(ITEMS)[:length].tolist() for _ in range(count)]


@pytest.mark.parametrize("feature", NAMING)
def test_a_score_falls_without_the_past_items_that_its_reason_names(feature: str) -> None:
    shop = ranking(ITEMS, blend=blend(**{feature: 1.0}))
    found = [fall for history in histories(8, 12) for fall in falls(shop, history, feature)]
    assert len(found) >= 20
    assert np.mean(found) >= 0.95


def test_the_scores_of_a_blend_of_all_features_fall_too() -> None:
    shop = ranking(ITEMS, blend=blend(**dict.fromkeys(NAMING, 1.0)))
    found = [fall for history in histories(20, 30) for fall in falls(shop, history)]
    assert len(found) >= 100
    assert np.mean(found) >= 0.95


def without_others(shop: Ranking, feature: str, item: int) -> Ranking:
    """Return the shop as it is if nobody else ever chose the item."""
    filters, others = shop.filters, np.arange(ITEMS) != item
    match feature:
        case "user_cosine":
            changed = replace(filters, user_items=csr_array(filters.user_items.multiply(others)))
        case "sequence_knn":
            assert filters.user_sequences
            items = np.where(filters.user_sequences.items == item, ITEMS, filters.user_sequences.items)
            changed = replace(filters, user_sequences=replace(filters.user_sequences, items=items))
        case "popularity":
            changed = replace(filters, popularity=filters.popularity * others)
        case _:
            changed = replace(filters, trend=filters.trend * others)
    return replace(shop, filters=changed)


@pytest.mark.parametrize("feature", BY_OTHERS)
def test_a_score_falls_without_the_other_users_whom_its_reason_is_about(feature: str) -> None:
    shop = ranking(ITEMS, blend=blend(**{feature: 1.0}))
    history = histories(1, 12)[0]
    query = query_of(shop, history)
    items, reasons = answer(shop, query, query.history)
    explained = [item for item, reason in zip(items.tolist(), reasons, strict=True) if reason.feature]
    assert len(explained) >= 5
    assert {reason.feature for reason in reasons} <= {feature, ""}
    for item in explained:
        changed = without_others(shop, feature, item)
        assert score(changed, query_of(changed, history), item) < score(shop, query, item)


def test_a_part_that_adds_nothing_or_counts_against_items_is_no_reason() -> None:
    # Unpopular items come first; the trend has no weight.
    shop = ranking(ITEMS, blend=blend(popularity=-1.0, trend=0.0))
    query = query_of(shop, histories(1, 12)[0])
    _, reasons = answer(shop, query, query.history)
    assert {(reason.sentence, reason.feature, reason.because) for reason in reasons} == {
        ("the best of what is left", "", ())
    }


def test_a_part_whose_evidence_is_the_whole_history_names_no_item() -> None:
    # Any one of the twelve equal items can be left out: the mean stays as it is.
    shop = ranking(ITEMS, blend=blend(item_cosine=1.0))
    cosine = np.zeros((ITEMS, ITEMS), np.float32)
    cosine[:12, 20:] = 0.5
    shop = replace(shop, filters=replace(shop.filters, item_cosine=csr_array(cosine)))
    query = query_of(shop, list(range(12)))
    items, reasons = answer(shop, query, query.history)
    assert set(items.tolist()) <= set(range(20, ITEMS))
    assert {reason.sentence for reason in reasons} <= {
        "fits your choices as a whole",
        "the best of what is left",
    }


def test_the_category_that_a_reason_names_is_the_one_with_the_largest_weight_in_the_history() -> None:
    shop = ranking(ITEMS, blend=blend(content=1.0))
    # Items 0 and 12 have Drama and Comedy. The only item with Drama is the oldest of four, or the newest of
    # two long runs: newer interactions weigh more.
    for history, category in (([4, 1, 5, 13], "Comedy"), ([1, 5] * 30 + [4] * 20, "Drama")):
        query = query_of(shop, history)
        items, reasons = answer(shop, query, query.history, k=ITEMS)
        assert reasons[items.tolist().index(12)].sentence == f"more {category}"


def test_verbs_follow_the_newest_interaction_with_the_named_item() -> None:
    shop = ranking(ITEMS, blend=blend(item_cosine=1.0))
    query, release = query_of(shop, [3, 7, 3]), LoadedRelease(shop)
    near = np.flatnonzero(shop.filters.item_cosine[[3]].toarray()[0] > 0).astype(np.int32)
    near = near[near != 3][:1]
    added = np.eye(len(FEATURES), dtype=np.float32)[[FEATURES.index("item_cosine")]]
    (reason,) = release.explainer.reasons(query, ["view", "like", "purchase"], near, added, True)
    assert (reason.sentence, reason.because[0]) == ("because you bought item-3", 3)


def test_a_feature_that_could_not_be_computed_is_no_reason() -> None:
    shop = ranking(ITEMS, blend=blend(interest=1.0, ease=1.0))
    shop = replace(shop, filters=replace(shop.filters, ease=None))
    query, release = Query(shop, np.arange(5, dtype=np.int32), np.arange(5)), LoadedRelease(shop)
    added = np.full((1, len(FEATURES)), 1e-7, np.float32)
    (reason,) = release.explainer.reasons(query, ["view"] * 5, np.array([9], np.int32), added, True)
    assert (reason.sentence, reason.because) == ("fits your choices as a whole", ())


def test_a_cached_user_pays_once_for_what_depends_on_the_history_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop = ranking(ITEMS, blend=blend(als=1.0, interest=1.0))
    query, release, calls = query_of(shop, histories(1, 12)[0]), LoadedRelease(shop), list[int]()

    def counted(*arguments: Any) -> FloatArray:
        calls.append(1)
        return falls_without_each(*arguments)

    monkeypatch.setattr("serving.ranking.influences.falls_without_each", counted)
    release.prepare(query)
    assert len(calls) == 1
    added = np.ones((1, len(FEATURES)), np.float32)
    for interest in shop.item_embeddings[:3]:
        answered = query.with_interest(interest)
        release.explainer.reasons(answered, ["view"] * 12, np.array([9], np.int32), added, True)
    assert len(calls) == 1


def test_the_reasons_of_the_same_answer_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = ranking(ITEMS, blend=blend(item_cosine=1.0, ease=1.0))
    query, release, computed = query_of(shop, histories(1, 12)[0]), LoadedRelease(shop), list[Indexes]()
    of = Influences.of

    def counted(query: Query, items: Indexes, *arguments: Any) -> Influences:
        computed.append(items)
        return of(query, items, *arguments)

    monkeypatch.setattr("serving.ranking.influences.Influences.of", counted)
    first, other = np.arange(20, 30, dtype=np.int32), np.arange(30, 40, dtype=np.int32)
    added = np.eye(10, len(FEATURES), FEATURES.index("ease"), dtype=np.float32)

    def reasons(query: Query, items: Indexes, added: FloatArray, explain: bool = False) -> Sequence[Reason]:
        return release.explainer.reasons(query, ["view"] * 12, items, added, explain)

    assert reasons(query, first, added) == reasons(query, first, added)
    assert len(computed) == 1
    for inputs in (
        (query, other, added),
        (query, first, added[::-1]),
        (query, first, added[::-1], True),
        (query.with_interest(shop.item_embeddings[0]), first, added[::-1], True),
    ):
        reasons(*inputs)
    assert len(computed) == 5


@pytest.mark.parametrize("feature", ["item_cosine", "ease"])
@pytest.mark.parametrize("repeated", [False, True], ids=["distinct items", "an item that is recent and old"])
def test_a_fall_is_the_difference_to_the_score_without_the_item(feature: str, repeated: bool) -> None:
    shop, items = ranking(ITEMS), np.arange(50, ITEMS, dtype=np.int32)
    history = np.random.default_rng(5).permutation(50).astype(np.int32)
    history[3 if repeated else -1] = history[-1]
    votes = np.where(history % 3, 1, 0.5).astype(np.float32)
    reranker = LoadedRelease(shop).reranker

    def scores(kept: NDArray[np.bool_]) -> FloatArray:
        query = Query(shop, history[kept], np.arange(50)[kept], votes=votes[kept])
        return reranker.features(query, items, (feature,))[:, 0]

    whole = scores(history >= 0)
    query = Query(shop, history, np.arange(50), votes=votes)
    influences = Influences.of(query, items, {feature: 1.0}, whole)
    assert len(influences.recent) == 20
    expected = [whole - scores(history != item) for item in influences.recent]
    np.testing.assert_allclose(influences.total, expected, rtol=1e-3, atol=1e-5)
