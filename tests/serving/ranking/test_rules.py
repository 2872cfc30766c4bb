"""Which items may be answered, by which rule another one may not, and that k are whenever k may."""

import numpy as np

from serving.ranking.retrieval import SOURCES, Candidates, SourceBits
from serving.ranking.rules import ItemFilter, Rules, best, bits, joined
from serving.release.catalog import Catalog
from tests.serving.rankings import catalog

NOW = 1_000

ALL = np.arange(24, dtype=np.int32)


def items(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int32)


def item_filter(of: Catalog | None = None) -> ItemFilter:
    return ItemFilter(of or catalog(24), np.arange(24, dtype=np.float32))


def permitted(rules: Rules, of: Catalog | None = None) -> list[int]:
    return np.flatnonzero(item_filter(of).permitted(rules, ALL)).tolist()


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
    few = Candidates.of(items(1, 3, 20), np.full(3, 4, SourceBits))
    rules = Rules(NOW, domain="books")
    selected = item_filter().select(rules, few, k=5)
    assert selected.items.tolist() == list(range(0, 24, 2))
    by_popularity = 1 << SOURCES.index("popularity")
    assert selected.sources.tolist() == [4 if item == 20 else by_popularity for item in range(0, 24, 2)]


def test_enough_candidates_are_left_alone() -> None:
    candidates = Candidates.of(items(1, 2, 3, 4), np.array([1, 2, 3, 4], SourceBits))
    selected = item_filter().select(Rules(NOW, excluded=items(2)), candidates, k=3)
    assert selected.items.tolist() == [1, 3, 4]
    assert selected.sources.tolist() == [1, 3, 4]


def test_an_allow_list_is_answered_though_no_source_named_it() -> None:
    candidates = Candidates.of(items(1, 2), np.array([1, 2], SourceBits))
    selected = item_filter().select(Rules(NOW, allowed=items(9, 2, 9, 5), excluded=items(5)), candidates, k=3)
    assert selected.items.tolist() == [2, 9]
    assert selected.sources.tolist() == [2, 0]


def test_an_allow_list_without_candidates() -> None:
    nobody = Candidates.of(items(), np.zeros(0, SourceBits))
    assert item_filter().select(Rules(NOW, allowed=items(9)), nobody, k=3).items.tolist() == [9]


def test_best_is_the_order_of_scores_and_of_equals_the_earlier() -> None:
    scores = np.array([1, 3, 2, 3, 0], np.float32)
    assert best(scores, 3).tolist() == [1, 3, 2]
    assert best(scores, 9).tolist() == [1, 3, 2, 0, 4]
    assert best(scores, 0).tolist() == []
    assert best(scores[:0], 3).tolist() == []


def test_categories_can_be_asked_out() -> None:
    # Item i has CATEGORIES[i % 4], every third the next one too.
    without = [item for item in range(24) if item % 4 != 0 and not (item % 3 == 0 and item % 4 == 3)]
    assert permitted(Rules(NOW, excluded_categories=("Drama", "Opera"))) == without
    assert permitted(Rules(NOW, categories=("Comedy",), excluded_categories=("Comedy",))) == []


def test_the_first_rule_that_removes_an_item_is_named() -> None:
    of = catalog(24)
    of.available_from[1] = NOW + 1
    rules = Rules(
        NOW,
        excluded=items(2),
        seen=items(2, 3),
        shown=items(4),
        allowed=ALL[:9],
        domain="books",
        categories=("Horror",),
        excluded_categories=("Action",),
    )
    removed = item_filter(of).removed_by(rules, ALL[:11])
    assert removed == [
        "categories",
        "availability",
        "exclude_item_ids",
        "seen",
        "frequency_cap",
        "domain",
        "exclude_categories",
        "domain",
        "categories",
        "allow_item_ids",
        "allow_item_ids",
    ]
    assert [item for item in range(11) if not removed[item]] == np.flatnonzero(
        item_filter(of).permitted(rules, ALL[:11])
    ).tolist()


def test_only_the_sources_that_a_scenario_names_are_drawn_from() -> None:
    candidates = Candidates.of(items(1, 2, 3), np.array([1, 6, 4], SourceBits))
    drawn = item_filter().select(Rules(NOW, sources=bits(("item_cosine",))), candidates, k=3)
    assert drawn.items.tolist() == [2, 3]
    assert drawn.sources.tolist() == [4, 4]
    filled = item_filter().select(Rules(NOW, sources=bits(("item_cosine", "popularity"))), candidates, k=3)
    assert filled.items.tolist() == ALL.tolist()
    assert filled.sources[[1, 2]].tolist() == [bits(("popularity",)), 4]


def test_under_a_limit_for_each_category_the_first_of_each_join() -> None:
    dramas = ALL[ALL % 4 == 0]
    candidates = Candidates.of(dramas, np.ones(len(dramas), SourceBits))
    joined = item_filter().select(Rules(NOW), candidates, k=3, per_category=1).items
    others = np.setdiff1d(joined, dramas).tolist()
    # The higher number is the more popular: 23 action, 22 horror, 21 comedy and horror, 15 action and drama.
    assert others == [15, 21, 22, 23]


def test_who_joins_is_named_beside_those_who_named_it_before() -> None:
    candidates = Candidates.of(items(1, 3), np.array([1, 2], SourceBits))
    together = joined(candidates, items(3, 2), "fresh")
    fresh = bits(("fresh",))
    assert together.items.tolist() == [1, 2, 3]
    assert together.sources.tolist() == [1, fresh, 2 | fresh]
