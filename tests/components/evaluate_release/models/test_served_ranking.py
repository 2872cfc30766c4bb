"""The served ranking put to queries: it answers as the service does, cold users and rules included."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_array

from components.evaluate_release.data.queries import read_queries
from components.evaluate_release.evaluation import assemble
from components.evaluate_release.metrics.accuracy import MISS
from components.evaluate_release.models.served_ranking import ServedRanking
from feature_repo.contract import TRAINING_SET
from serving.release.segments import Segment, Segments
from tests.components.evaluate_release.ring_world import N_ITEMS, row

INDEX = pa.array([f"i{item}" for item in range(N_ITEMS)])


@pytest.fixture
def ranking(world, blend):
    """The ring, its trend falling with the index."""
    found = assemble(world.interest_model, world.filters, world.items)
    trend = np.arange(N_ITEMS, 0, -1, dtype=np.float32)
    return replace(found, blend=blend, filters=replace(found.filters, trend=trend))


def put(ranking, *rows, interest_in=None, profiles=None):
    queries = read_queries(pa.Table.from_pylist(list(rows), TRAINING_SET), "test", INDEX, seed=0)
    interest = np.zeros((len(queries), N_ITEMS), np.float32)
    if interest_in is not None:
        interest[:, interest_in] = 1
    return ServedRanking(ranking, queries, interest, profiles)


def test_who_has_no_history_is_answered_what_is_trending(ranking):
    answered = put(ranking, row(1, [], [], 10, "test", 4)).answers()
    assert answered.items[0].tolist() == list(range(20))
    assert answered.ranks.tolist() == [5]


def test_of_whom_an_attribute_is_known_what_trends_among_those_alike_comes_first(ranking):
    # group "a" had items 30 and 31 alone
    own = csr_array(([6.0, 3.0], ([0, 0], [30, 31])), shape=(1, N_ITEMS), dtype=np.float32)
    alike = Segments([Segment("group", interactions=9, prior=1, value="a")], own)
    with_segments = replace(ranking, filters=replace(ranking.filters, segments=alike))
    rows = [row(user, [], [], 10, "test", 31) for user in (1, 2)]
    answered = put(with_segments, *rows, profiles={"u001": {"group": "a"}, "u002": {"group": "b"}}).answers()
    assert answered.items[0, :3].tolist() == [30, 31, 0]
    assert answered.items[1, :3].tolist() == [0, 1, 2]
    assert answered.ranks.tolist() == [2, 32]


def test_items_of_categories_that_a_profile_names_come_before_all_others(ranking):
    asked = put(ranking, row(1, [], [], 10, "test", 25), profiles={"u001": {"likes": "high"}})
    # items 20 to 39 are "high"
    assert asked.answers().items[0].tolist() == list(range(20, 40))


def test_the_next_on_the_ring_comes_first_and_what_was_seen_not_at_all(ranking):
    answered = put(ranking, row(1, [4, 5, 6], [1, 2, 3], 10, "test", 7), interest_in=7).answers()
    assert answered.ranks.tolist() == [1]
    assert answered.items[0, 0] == 7
    assert not {4, 5, 6} & set(answered.items[0].tolist())


def test_a_target_that_a_rule_leaves_out_is_a_miss(ranking):
    later = ranking.catalog.available_from.copy()
    later[7] = 11  # a microsecond after the query
    closed = replace(ranking, catalog=replace(ranking.catalog, available_from=later))
    rows = (row(1, [5, 6], [2, 3], 10, "test", 7), row(2, [5, 6], [2, 3], 10, "test", 6))
    assert put(closed, *rows, interest_in=7).answers().ranks.tolist() == [MISS, MISS]


def test_examples_point_at_the_target_and_leave_cold_starts_out(ranking):
    rows = (
        row(1, [4, 5], [1, 2], 10, "test", 6),
        row(2, [], [], 10, "test", 6),
        row(3, [6], [1], 10, "test", 6),
    )
    examples = put(ranking, *rows).examples()
    assert [len(features) for features in examples.features] == [N_ITEMS - 2, N_ITEMS - 1]
    assert examples.targets == [4, -1]  # items 0 … 3 stand before it, 4 and 5 were seen; seen itself
