"""How diversity, quotas and values choose the answered items and order them."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.ranking.diversification import Selection, arrange
from serving.ranking.rules import best
from serving.ranking.scenarios import Scenario
from serving.release.catalog import Catalog
from tests.serving.rankings import catalog

ALL = np.arange(24, dtype=np.int32)
RANDOM = np.random.default_rng(1).normal(size=24).astype(np.float32)


def arranged(
    scores: np.ndarray, k: int, of: Catalog | None = None, fresh: tuple[int, ...] = (), **asked: object
) -> Selection:
    world = of or catalog(24)
    is_fresh = np.isin(np.arange(len(world)), fresh)
    items = np.arange(len(scores), dtype=np.int32)
    return arrange(
        scores.astype(np.float32), items, world.content, is_fresh, k, Scenario.model_validate(asked)
    )


def test_without_a_wish_the_best_are_answered_in_their_order() -> None:
    found = arranged(RANDOM, 10)
    np.testing.assert_array_equal(found.places, best(RANDOM, 10))
    assert found.reordered_by == [None] * 10
    assert not found.full.any()


def test_diversity_worked_by_hand() -> None:
    # Items 4 and 8 are dramas, 5 a comedy. Scaled scores: 1, .9, 0 → with a trade of .5 item 5 (0 − 0) beats
    # item 8 (.45 − .5).
    of, candidates = catalog(24), np.array([4, 8, 5], np.int32)
    scores, fresh = np.array([10, 9, 0], np.float32), np.zeros(24, bool)

    def order(trade: float) -> tuple[list[int], list[str]]:
        found = arrange(scores, candidates, of.content, fresh, 3, Scenario(diversity=trade))
        return candidates[found.places].tolist(), found.reordered_by

    assert order(0.5) == ([4, 5, 8], [None, "diversity", None])
    assert order(0.4) == ([4, 8, 5], [None, None, None])


@pytest.mark.parametrize("trade", [0.3, 1.0])
def test_diversity_keeps_k_distinct_items_and_the_best_first(trade: float) -> None:
    for k in (1, 10, 24, 40):
        found = arranged(RANDOM, k, diversity=trade).places
        assert len(set(found.tolist())) == min(k, 24)
        assert found[0] == np.argmax(RANDOM)


def test_items_without_categories_are_like_nothing() -> None:
    bare = replace(catalog(24), categories=[[] for _ in range(24)])
    found = arranged(np.linspace(1, 0, 24), 5, bare, diversity=0.9, max_per_category=1)
    np.testing.assert_array_equal(found.places, np.arange(5))


def test_at_most_n_of_a_category_and_each_of_an_items_counts() -> None:
    # 0: Drama, Comedy. 1: Comedy. 2: Horror. 3: Action, Drama. 4: Drama. 5: Comedy. 6: Horror, Action.
    found = arranged(np.arange(24, 0, -1), 24, max_per_category=2)
    assert found.places.tolist() == [0, 1, 2, 3, 6]
    assert found.reordered_by == [None, None, None, None, "max_per_category"]
    assert np.flatnonzero(found.full).tolist() == [place for place in range(24) if place not in found.places]


def test_the_last_places_are_fresh_items_when_a_share_is_asked_for() -> None:
    found = arranged(np.arange(24, 0, -1), 5, fresh=(1, 20, 22), min_fresh_share=0.5)
    assert found.places.tolist() == [0, 1, 2, 20, 22]
    assert found.reordered_by == [None, None, None, "min_fresh_share", "min_fresh_share"]


def test_a_share_of_fresh_items_that_there_are_not_is_filled_by_others() -> None:
    assert arranged(np.arange(24, 0, -1), 5, fresh=(9,), min_fresh_share=1).places.tolist() == [0, 1, 2, 3, 9]


@settings(max_examples=200, deadline=None)
@given(
    scores=st.lists(st.floats(-5, 5, width=32), min_size=0, max_size=24),
    k=st.integers(0, 30),
    fresh=st.sets(st.integers(0, 23)),
    limit=st.none() | st.integers(1, 4),
    share=st.floats(0, 1),
    trade=st.floats(0, 1),
)
def test_every_wish_is_kept_whatever_else_is_wished(
    scores: list[float], k: int, fresh: set[int], limit: int | None, share: float, trade: float
) -> None:
    of = catalog(24)
    found = arranged(
        np.array(scores, np.float32),
        k,
        of,
        tuple(fresh),
        max_per_category=limit,
        min_fresh_share=share,
        diversity=trade,
    )
    answered = found.places.tolist()
    assert len(answered) == len(set(answered)) == len(found.reordered_by)
    if limit is None:
        assert len(answered) == min(k, len(scores))
        there = sum(1 for item in fresh if item < len(scores))
        assert sum(1 for item in answered if item in fresh) >= min(math.ceil(share * k), there, len(answered))
    else:
        counts = np.asarray(of.content[answered].astype(bool).sum(axis=0)) if answered else np.zeros(1)
        assert counts.max() <= limit
