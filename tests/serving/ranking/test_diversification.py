"""Tests of selection by diversity, category quotas and fresh shares."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.answers import Rule
from serving.ranking.diversification import Selection, diversify
from serving.ranking.scenarios import Scenario
from serving.ranking.top_k import best_positions
from serving.release.catalog import Catalog
from tests.serving.rankings import catalog

ALL = np.arange(24, dtype=np.int32)
RANDOM = np.random.default_rng(1).normal(size=24).astype(np.float32)


def select(
    scores: np.ndarray,
    k: int,
    items_of: Catalog | None = None,
    fresh: tuple[int, ...] = (),
    **scenario: object,
) -> Selection:
    content = (items_of or catalog(24)).content
    is_fresh = np.isin(np.arange(content.shape[0]), fresh)
    items = np.arange(len(scores), dtype=np.int32)
    return diversify(
        scores.astype(np.float32), items, content, is_fresh, k, Scenario.model_validate(scenario)
    )


def test_the_best_items_are_selected_in_order_without_a_condition() -> None:
    selection = select(RANDOM, 10)
    np.testing.assert_array_equal(selection.positions, best_positions(RANDOM, 10))
    assert selection.reordered_by == [None] * 10
    assert not selection.over_quota.any()


def test_diversity_equals_a_result_computed_by_hand() -> None:
    # Items 4 and 8 are dramas, 5 is a comedy. Scaled scores: 1, .9, 0. With a diversity of .5 item 5 (0 − 0)
    # beats item 8 (.45 − .5).
    world, candidates = catalog(24), np.array([4, 8, 5], np.int32)
    scores, fresh = np.array([10, 9, 0], np.float32), np.zeros(24, bool)

    def order(diversity: float) -> tuple[list[int], list[Rule | None]]:
        selection = diversify(scores, candidates, world.content, fresh, 3, Scenario(diversity=diversity))
        return candidates[selection.positions].tolist(), selection.reordered_by

    assert order(0.5) == ([4, 5, 8], [None, "diversity", None])
    assert order(0.4) == ([4, 8, 5], [None, None, None])


@pytest.mark.parametrize("diversity", [0.3, 1.0])
def test_diversity_selects_k_distinct_items_with_the_best_first(diversity: float) -> None:
    for k in (1, 10, 24, 40):
        selection = select(RANDOM, k, diversity=diversity).positions
        assert len(set(selection.tolist())) == min(k, 24)
        assert selection[0] == np.argmax(RANDOM)


def test_items_without_categories_are_similar_to_no_item() -> None:
    without_categories = replace(catalog(24), categories=[[] for _ in range(24)])
    selection = select(np.linspace(1, 0, 24), 5, without_categories, diversity=0.9, max_per_category=1)
    np.testing.assert_array_equal(selection.positions, np.arange(5))


def test_a_quota_counts_every_category_of_an_item() -> None:
    # 0: Drama, Comedy. 1: Comedy. 2: Horror. 3: Action, Drama. 4: Drama. 5: Comedy. 6: Horror, Action.
    selection = select(np.arange(24, 0, -1), 24, max_per_category=2)
    assert selection.positions.tolist() == [0, 1, 2, 3, 6]
    assert selection.reordered_by == [None, None, None, None, "max_per_category"]
    assert np.flatnonzero(selection.over_quota).tolist() == [
        position for position in range(24) if position not in selection.positions
    ]


def test_a_fresh_share_fills_the_last_positions_with_fresh_items() -> None:
    selection = select(np.arange(24, 0, -1), 5, fresh=(1, 20, 22), min_fresh_share=0.5)
    assert selection.positions.tolist() == [0, 1, 2, 20, 22]
    assert selection.reordered_by == [None, None, None, "min_fresh_share", "min_fresh_share"]


def test_a_fresh_share_is_filled_with_other_items_if_fresh_ones_are_too_few() -> None:
    assert select(np.arange(24, 0, -1), 5, fresh=(9,), min_fresh_share=1).positions.tolist() == [
        0,
        1,
        2,
        3,
        9,
    ]


@settings(max_examples=200, deadline=None)
@given(
    scores=st.lists(st.floats(-5, 5, width=32), min_size=0, max_size=24),
    k=st.integers(0, 30),
    fresh=st.sets(st.integers(0, 23)),
    quota=st.none() | st.integers(1, 4),
    fresh_share=st.floats(0, 1),
    diversity=st.floats(0, 1),
)
def test_every_condition_holds_in_any_combination(
    scores: list[float], k: int, fresh: set[int], quota: int | None, fresh_share: float, diversity: float
) -> None:
    world = catalog(24)
    selection = select(
        np.array(scores, np.float32),
        k,
        world,
        tuple(fresh),
        max_per_category=quota,
        min_fresh_share=fresh_share,
        diversity=diversity,
    )
    selected = selection.positions.tolist()
    assert len(selected) == len(set(selected)) == len(selection.reordered_by)
    if quota is None:
        assert len(selected) == min(k, len(scores))
        available = sum(1 for item in fresh if item < len(scores))
        assert sum(1 for item in selected if item in fresh) >= min(
            math.ceil(fresh_share * k), available, len(selected)
        )
    else:
        counts = np.asarray(world.content[selected].astype(bool).sum(axis=0)) if selected else np.zeros(1)
        assert counts.max() <= quota
