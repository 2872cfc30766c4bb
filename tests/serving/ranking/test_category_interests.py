"""Recent and long-term interest in categories, and the shift between them."""

import numpy as np
import pytest

from serving.answers import CategoryInterest
from serving.ranking.category_interests import category_interests
from serving.release.catalog import FOREVER, Catalog

CATALOG = Catalog(
    item_ids=["a", "b", "c"],
    titles=["A", "B", "C"],
    categories=[["Drama"], ["Drama", "Comedy"], []],
    domains=[""] * 3,
    available_from=np.zeros(3, np.int64),
    available_until=np.full(3, FOREVER),
)


def interests_of(
    items: list[int], catalog: Catalog, weights: list[float] | None = None
) -> tuple[list[CategoryInterest], float]:
    votes = None if weights is None else np.array(weights, np.float32)
    return category_interests(np.array(items, np.int32), votes, catalog)


def test_recent_interactions_weigh_more_in_the_recent_interest_only() -> None:
    # Ages 1 and 0. Recent: Drama 0.5**0.2 + 0.5, Comedy 0.5. Long term: Drama 1.5, Comedy 0.5.
    interests, shift = interests_of([0, 1], CATALOG)
    older = 0.5**0.2
    drama = (older + 0.5) / (older + 1)
    assert [interest.category for interest in interests] == ["Drama", "Comedy"]
    assert interests[0].weight == pytest.approx(drama)
    assert interests[0].long_term_weight == pytest.approx(0.75)
    assert interests[1].weight == pytest.approx(1 - drama)
    assert shift == pytest.approx(0.75 - drama)


def test_the_shift_is_large_after_a_change_of_interest_and_zero_without_one() -> None:
    interests, shift = interests_of([0] * 40, CATALOG)
    assert (shift, len(interests)) == (0, 1)
    two_categories = Catalog(**{**vars(CATALOG), "categories": [["Drama"], ["Comedy"], []]})
    interests, shift = interests_of([0] * 60 + [1] * 20, two_categories)
    assert interests[0].category == "Comedy"
    assert 0.6 < shift <= 0.75


def test_items_without_categories_are_skipped() -> None:
    assert interests_of([2, 2], CATALOG) == ([], 0)
    assert interests_of([], CATALOG) == ([], 0)


def test_an_interaction_counts_by_its_vote() -> None:
    interests, _ = interests_of([0, 1], CATALOG, weights=[0.5, 3.0])
    assert interests[0].long_term_weight == pytest.approx((0.5 + 1.5) / 3.5)
