"""The served ranking answers as the recommender does, with cold starts and rules."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_array

from components.evaluate_release.data.queries import read_queries
from components.evaluate_release.evaluation import assemble
from components.evaluate_release.models.served_ranking import ServedRanking
from components.metrics.accuracy import MISS
from feature_repo.feedback import FeedbackPolicy
from feature_repo.table_schemas import TRAINING_SET
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.request import Request
from serving.release.user_segments import Segment, Segments
from tests.components.evaluate_release.ring_world import N_ITEMS, row

INDEX = pa.array([f"i{item}" for item in range(N_ITEMS)])

POLICY = FeedbackPolicy()


@pytest.fixture
def ranking(world, blend):
    """The ring, with a trend that decreases with the item's index."""
    assembled = assemble(world.interest_model, world.filters, world.items)
    trend = np.arange(N_ITEMS, 0, -1, dtype=np.float32)
    return replace(assembled, blend=blend, filters=replace(assembled.filters, trend=trend))


@pytest.mark.parametrize("keep_seen", [True, False])
def test_a_candidate_treats_seen_items_as_its_release_will(world, blend, keep_seen) -> None:
    candidate = replace(assemble(world.interest_model, world.filters, world.items, keep_seen), blend=blend)
    seen = np.array([3], np.int32)
    rules = LoadedRelease(candidate).rules(Request("u", 3), 0, seen)
    assert (3 in rules.seen) is not keep_seen


def rank(ranking, *rows, interest_in=None, profiles=None):
    queries = read_queries(pa.Table.from_pylist(list(rows), TRAINING_SET), "test", INDEX, 0, POLICY)
    interest = np.zeros((len(queries), N_ITEMS), np.float32)
    if interest_in is not None:
        interest[:, interest_in] = 1
    return ServedRanking(ranking, queries, interest, profiles)


def test_a_user_without_history_gets_trending_items(ranking) -> None:
    answers = rank(ranking, row(1, [], [], 10, "test", 4)).answers()
    assert answers.items[0].tolist() == list(range(20))
    assert answers.ranks.tolist() == [5]


def test_a_new_user_with_attributes_gets_their_segments_trending_items_first(ranking) -> None:
    # group "a" has interactions with items 30 and 31 only
    own = csr_array(([6.0, 3.0], ([0, 0], [30, 31])), shape=(1, N_ITEMS), dtype=np.float32)
    segments = Segments([Segment("group", interactions=9, prior=1, value="a")], own)
    with_segments = replace(ranking, filters=replace(ranking.filters, segments=segments))
    rows = [row(user, [], [], 10, "test", 31) for user in (1, 2)]
    answers = rank(with_segments, *rows, profiles={"u001": {"group": "a"}, "u002": {"group": "b"}}).answers()
    assert answers.items[0, :3].tolist() == [30, 31, 0]
    assert answers.items[1, :3].tolist() == [0, 1, 2]
    assert answers.ranks.tolist() == [2, 32]


def test_items_of_the_profiles_categories_come_first(ranking) -> None:
    served = rank(ranking, row(1, [], [], 10, "test", 25), profiles={"u001": {"likes": "high"}})
    # items 20 to 39 are "high"
    assert served.answers().items[0].tolist() == list(range(20, 40))


def test_the_next_item_comes_first_and_seen_items_are_excluded(ranking) -> None:
    answers = rank(ranking, row(1, [4, 5, 6], [1, 2, 3], 10, "test", 7), interest_in=7).answers()
    assert answers.ranks.tolist() == [1]
    assert answers.items[0, 0] == 7
    assert not {4, 5, 6} & set(answers.items[0].tolist())


def test_a_target_that_a_rule_excludes_is_a_miss(ranking) -> None:
    later = ranking.catalog.available_from.copy()
    later[7] = 11  # a microsecond after the query
    closed = replace(ranking, catalog=replace(ranking.catalog, available_from=later))
    rows = (row(1, [5, 6], [2, 3], 10, "test", 7), row(2, [5, 6], [2, 3], 10, "test", 6))
    assert rank(closed, *rows, interest_in=7).answers().ranks.tolist() == [MISS, MISS]


def test_examples_have_the_targets_position_and_no_cold_starts(ranking) -> None:
    rows = (
        row(1, [4, 5], [1, 2], 10, "test", 6),
        row(2, [], [], 10, "test", 6),
        row(3, [6], [1], 10, "test", 6),
    )
    examples = rank(ranking, *rows).examples()
    assert [len(features) for features in examples.features] == [N_ITEMS - 2, N_ITEMS - 1]
    assert examples.targets == [
        4,
        -1,
    ]  # items 0 to 3 come before it, 4 and 5 are seen; the last target is seen
