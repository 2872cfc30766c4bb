"""Which items may be answered, that k are whenever k may, and how diversity trades against scores."""

from dataclasses import replace

import numpy as np
import pytest

from serving.release import Catalog
from serving.retrieval import SOURCES, Candidates, SourceBits
from serving.rules import Rulebook, Rules, best, diversified
from tests.serving.rankings import catalog

NOW = 1_000

ALL = np.arange(24, dtype=np.int32)


def items(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int32)


def rulebook(of: Catalog | None = None) -> Rulebook:
    return Rulebook(of or catalog(24), np.arange(24, dtype=np.float32))


def permitted(rules: Rules, of: Catalog | None = None) -> list[int]:
    return np.flatnonzero(rulebook(of).permitted(rules, ALL)).tolist()


def test_no_rule_permits_everything() -> None:
    assert permitted(Rules(NOW)) == list(range(24))


def test_excluded_items_are_not_permitted() -> None:
    assert permitted(Rules(NOW, excluded=items(3, 5, 3))) == [
        item for item in range(24) if item not in (3, 5)
    ]


def test_only_allowed_items_are_permitted() -> None:
    assert permitted(Rules(NOW, allowed=items(7, 2), excluded=items(2))) == [7]


def test_an_empty_allow_list_permits_nothing() -> None:
    assert permitted(Rules(NOW, allowed=items())) == []


def test_availability_begins_on_its_moment_and_ends_before_it() -> None:
    of = catalog(24)
    of.available_from[1], of.available_from[2] = NOW, NOW + 1
    of.available_until[3], of.available_until[4] = NOW, NOW + 1
    assert set(range(24)) - set(permitted(Rules(NOW), of)) == {2, 3}


def test_a_domain_permits_its_items() -> None:
    assert permitted(Rules(NOW, domain="books")) == list(range(0, 24, 2))
    assert permitted(Rules(NOW, domain="songs")) == []


def test_any_of_the_categories_permits() -> None:
    # Item i has CATEGORIES[i % 4], every third the next one too.
    dramas = [item for item in range(24) if item % 4 == 0 or (item % 3 == 0 and item % 4 == 3)]
    assert permitted(Rules(NOW, categories=("Drama", "Opera"))) == dramas
    assert permitted(Rules(NOW, categories=("Opera",))) == []


def test_all_rules_hold_at_once() -> None:
    rules = Rules(NOW, excluded=items(0), domain="books", categories=("Drama",), allowed=ALL[:9])
    assert permitted(rules) == [4, 8]


def test_k_items_are_answered_whenever_k_are_permitted() -> None:
    few = Candidates(items(1, 3, 20), np.full(3, 4, SourceBits))
    rules = Rules(NOW, domain="books")
    selected = rulebook().select(rules, few, k=5)
    assert selected.items.tolist() == list(range(0, 24, 2))
    by_popularity = 1 << SOURCES.index("popularity")
    assert selected.sources.tolist() == [4 if item == 20 else by_popularity for item in range(0, 24, 2)]


def test_enough_candidates_are_left_alone() -> None:
    candidates = Candidates(items(1, 2, 3, 4), np.array([1, 2, 3, 4], SourceBits))
    selected = rulebook().select(Rules(NOW, excluded=items(2)), candidates, k=3)
    assert selected.items.tolist() == [1, 3, 4]
    assert selected.sources.tolist() == [1, 3, 4]


def test_an_allow_list_is_answered_though_no_source_named_it() -> None:
    candidates = Candidates(items(1, 2), np.array([1, 2], SourceBits))
    selected = rulebook().select(Rules(NOW, allowed=items(9, 2, 9, 5), excluded=items(5)), candidates, k=3)
    assert selected.items.tolist() == [2, 9]
    assert selected.sources.tolist() == [2, 0]


def test_an_allow_list_without_candidates() -> None:
    nobody = Candidates(items(), np.zeros(0, SourceBits))
    assert rulebook().select(Rules(NOW, allowed=items(9)), nobody, k=3).items.tolist() == [9]


def test_best_is_the_order_of_scores_and_of_equals_the_earlier() -> None:
    scores = np.array([1, 3, 2, 3, 0], np.float32)
    assert best(scores, 3).tolist() == [1, 3, 2]
    assert best(scores, 9).tolist() == [1, 3, 2, 0, 4]
    assert best(scores, 0).tolist() == []
    assert best(scores[:0], 3).tolist() == []


def test_without_a_trade_diversity_changes_nothing() -> None:
    scores = np.random.default_rng(1).normal(size=24).astype(np.float32)
    found = diversified(scores, ALL, catalog(24).content, k=10, trade=0)
    np.testing.assert_array_equal(found, best(scores, 10))


def test_diversity_worked_by_hand() -> None:
    # Items 4 and 8 are dramas, 5 a comedy. Scaled scores: 1, .9, 0 → with a trade of .5 item 5 (0 − 0) beats
    # item 8 (.45 − .5).
    of, candidates = catalog(24), items(4, 8, 5)
    scores = np.array([10, 9, 0], np.float32)
    assert candidates[diversified(scores, candidates, of.content, k=3, trade=0.5)].tolist() == [4, 5, 8]
    assert candidates[diversified(scores, candidates, of.content, k=3, trade=0.4)].tolist() == [4, 8, 5]


@pytest.mark.parametrize("trade", [0.0, 0.3, 1.0])
def test_diversity_keeps_k_distinct_items_and_the_best_first(trade: float) -> None:
    scores = np.random.default_rng(2).normal(size=24).astype(np.float32)
    for k in (1, 10, 24, 40):
        found = diversified(scores, ALL, catalog(24).content, k, trade)
        assert len(set(found.tolist())) == min(k, 24)
        assert found[0] == np.argmax(scores)


def test_more_trade_gives_more_categories() -> None:
    of = catalog(24)
    dramas_first = np.where(ALL % 4 == 0, 10, 0).astype(np.float32) + np.linspace(1, 0, 24, dtype=np.float32)

    def distinct(trade: float) -> int:
        answered = diversified(dramas_first, ALL, of.content, k=4, trade=trade)
        return len({category for item in answered for category in of.categories[item]})

    assert distinct(0) < distinct(0.8) == 4


@pytest.mark.parametrize("trade", [-0.1, 1.1])
def test_a_trade_outside_its_range_is_refused(trade: float) -> None:
    with pytest.raises(ValueError, match="diversity trades"):
        diversified(np.ones(3, np.float32), ALL[:3], catalog(24).content, 2, trade)


def test_items_without_categories_are_like_nothing() -> None:
    bare = replace(catalog(24), categories=[[] for _ in range(24)])
    scores = np.linspace(1, 0, 24, dtype=np.float32)
    np.testing.assert_array_equal(diversified(scores, ALL, bare.content, 5, 0.9), np.arange(5))
    assert permitted(Rules(NOW, categories=("Drama",)), bare) == []
