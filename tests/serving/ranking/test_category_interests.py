import numpy as np
import pytest

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


def test_recent_interactions_weigh_more_now_and_the_same_in_the_long_term() -> None:
    # Ages 1 and 0. Now: Drama 0.5**0.2 + 0.5, Comedy 0.5. Long term: Drama 1.5, Comedy 0.5.
    interests, shift = category_interests([0, 1], CATALOG)
    older = 0.5**0.2
    drama = (older + 0.5) / (older + 1)
    assert [interest.category for interest in interests] == ["Drama", "Comedy"]
    assert interests[0].weight == pytest.approx(drama)
    assert interests[0].long_term_weight == pytest.approx(0.75)
    assert interests[1].weight == pytest.approx(1 - drama)
    assert shift == pytest.approx(0.75 - drama)


def test_an_interest_that_turns_shifts_far_and_one_that_stays_does_not() -> None:
    steady, none = category_interests([0] * 40, CATALOG)
    assert (none, len(steady)) == (0, 1)
    turned = Catalog(**{**vars(CATALOG), "categories": [["Drama"], ["Comedy"], []]})
    interests, shift = category_interests([0] * 60 + [1] * 20, turned)
    assert interests[0].category == "Comedy"
    assert 0.6 < shift <= 0.75


def test_items_without_categories_say_nothing() -> None:
    assert category_interests([2, 2], CATALOG) == ([], 0)
    assert category_interests([], CATALOG) == ([], 0)
