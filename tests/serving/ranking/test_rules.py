"""Tests of the rules of a request."""

from collections import Counter

import numpy as np

from serving.answers import Source
from serving.ranking.candidate_set import Candidates, SourceBits, source_bits
from serving.ranking.rules import ItemFilter, Rules
from serving.release.catalog import Catalog
from tests.serving.rankings import catalog

NOW = 1_000

ALL = np.arange(24, dtype=np.int32)


def items(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int32)


def item_filter(world: Catalog | None = None) -> ItemFilter:
    return ItemFilter(world or catalog(24), np.arange(24, dtype=np.float32))


def permitted(rules: Rules, world: Catalog | None = None) -> list[int]:
    return np.flatnonzero(item_filter(world).permitted(rules, ALL)).tolist()


def test_every_item_is_permitted_without_rules() -> None:
    assert permitted(Rules(NOW)) == list(range(24))


def test_excluded_items_are_not_permitted() -> None:
    assert permitted(Rules(NOW, excluded=items(3, 5, 3))) == [
        item for item in range(24) if item not in (3, 5)
    ]


def test_only_allowed_items_are_permitted() -> None:
    assert permitted(Rules(NOW, allowed=items(7, 2), excluded=items(2))) == [7]


def test_an_empty_allow_list_permits_nothing() -> None:
    assert permitted(Rules(NOW, allowed=items())) == []


def test_an_item_is_available_from_its_start_until_before_its_end() -> None:
    world = catalog(24)
    world.available_from[1], world.available_from[2] = NOW, NOW + 1
    world.available_until[3], world.available_until[4] = NOW, NOW + 1
    assert set(range(24)) - set(permitted(Rules(NOW), world)) == {2, 3}


def test_a_domain_permits_only_its_items() -> None:
    assert permitted(Rules(NOW, domain="books")) == list(range(0, 24, 2))
    assert permitted(Rules(NOW, domain="songs")) == []


def test_an_item_of_any_listed_category_is_permitted() -> None:
    # Item i has CATEGORIES[i % 4], every third the next one too.
    dramas = [item for item in range(24) if item % 4 == 0 or (item % 3 == 0 and item % 4 == 3)]
    assert permitted(Rules(NOW, categories=("Drama", "Opera"))) == dramas
    assert permitted(Rules(NOW, categories=("Opera",))) == []


def test_all_rules_apply_together() -> None:
    rules = Rules(NOW, excluded=items(0), domain="books", categories=("Drama",), allowed=ALL[:9])
    assert permitted(rules) == [4, 8]


def test_k_items_are_selected_whenever_k_are_permitted() -> None:
    few = Candidates.of(items(1, 3, 20), np.full(3, 4, SourceBits))
    rules = Rules(NOW, domain="books")
    selected = item_filter().select(rules, few, k=5)
    assert selected.items.tolist() == list(range(0, 24, 2))
    by_popularity = source_bits((Source.POPULARITY,))
    assert selected.sources.tolist() == [4 if item == 20 else by_popularity for item in range(0, 24, 2)]


def test_nothing_is_added_to_enough_candidates() -> None:
    candidates = Candidates.of(items(1, 2, 3, 4), np.array([1, 2, 3, 4], SourceBits))
    selected = item_filter().select(Rules(NOW, excluded=items(2)), candidates, k=3)
    assert selected.items.tolist() == [1, 3, 4]
    assert selected.sources.tolist() == [1, 3, 4]


def test_an_allow_list_selects_items_without_a_source() -> None:
    candidates = Candidates.of(items(1, 2), np.array([1, 2], SourceBits))
    selected = item_filter().select(Rules(NOW, allowed=items(9, 2, 9, 5), excluded=items(5)), candidates, k=3)
    assert selected.items.tolist() == [2, 9]
    assert selected.sources.tolist() == [2, 0]


def test_an_allow_list_selects_its_items_without_candidates() -> None:
    no_candidates = Candidates.of(items(), np.zeros(0, SourceBits))
    assert item_filter().select(Rules(NOW, allowed=items(9)), no_candidates, k=3).items.tolist() == [9]


def test_excluded_categories_remove_their_items() -> None:
    # Item i has CATEGORIES[i % 4], every third the next one too.
    without = [item for item in range(24) if item % 4 != 0 and not (item % 3 == 0 and item % 4 == 3)]
    assert permitted(Rules(NOW, excluded_categories=("Drama", "Opera"))) == without
    assert permitted(Rules(NOW, categories=("Comedy",), excluded_categories=("Comedy",))) == []


def test_an_item_is_removed_by_the_first_rule_what_the_request_asks_for_first() -> None:
    world = catalog(24)
    world.available_from[[1, 10]] = NOW + 1
    rules = Rules(
        NOW,
        excluded=items(2, 10),
        seen=items(2, 14, 3),
        disliked=items(14),
        capped=items(14, 4),
        allowed=ALL[:20],
        domain="books",
        categories=("Horror",),
        excluded_categories=("Action",),
    )
    removed = item_filter(world).removed_by(rules, ALL)
    # Item 2 is a horror book that is excluded, items 6 and 18 are of the category Action too.
    assert removed == [
        *("categories", "domain", "exclude_item_ids", "domain", "categories", "domain"),
        *("exclude_categories", "domain", "categories", "domain", "availability", "domain"),
        *("categories", "domain", "disliked", "domain", "categories", "domain"),
        *("exclude_categories", "domain", *["allow_item_ids"] * 4),
    ]
    counts = {rule: count for rule, count in item_filter(world).removed_counts(rules).items() if count}
    assert counts == Counter(removed)
    assert item_filter().removed_by(Rules(NOW, seen=items(3)), ALL[:4]) == [None, None, None, "seen"]


def test_only_candidates_of_the_listed_sources_are_selected() -> None:
    candidates = Candidates.of(items(1, 2, 3), np.array([1, 6, 4], SourceBits))
    selected = item_filter().select(
        Rules(NOW, sources=int(source_bits((Source.ITEM_COSINE,)))), candidates, k=3
    )
    assert selected.items.tolist() == [2, 3]
    assert selected.sources.tolist() == [4, 4]
    filled = item_filter().select(
        Rules(NOW, sources=int(source_bits((Source.ITEM_COSINE, Source.POPULARITY)))), candidates, k=3
    )
    assert filled.items.tolist() == ALL.tolist()
    assert filled.sources[[1, 2]].tolist() == [source_bits((Source.POPULARITY,)), 4]


def test_a_quota_per_category_adds_the_most_popular_items_of_each_category() -> None:
    dramas = ALL[ALL % 4 == 0]
    candidates = Candidates.of(dramas, np.ones(len(dramas), SourceBits))
    selected = item_filter().select(Rules(NOW), candidates, k=3, per_category=1).items
    others = np.setdiff1d(selected, dramas).tolist()
    # The higher number is the more popular: 23 action, 22 horror, 21 comedy and horror, 15 action and drama.
    assert others == [15, 21, 22, 23]
