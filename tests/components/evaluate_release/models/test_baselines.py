"""Baselines and the full ranking: order, seen items, ties."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_array

from components.evaluate_release.data.queries import read_queries
from components.evaluate_release.models import baselines
from components.evaluate_release.models.full_ranking import rank_all
from components.metrics.accuracy import MISS
from feature_repo.feedback import FeedbackPolicy
from feature_repo.table_schemas import TRAINING_SET
from tests.components.evaluate_release.ring_world import row

INDEX = pa.array([f"i{item}" for item in range(5)])

POLICY = FeedbackPolicy()


def queries_of(*rows):
    return read_queries(pa.Table.from_pylist(list(rows), TRAINING_SET), "test", INDEX, 0, POLICY)


def test_popularity_excludes_seen_items() -> None:
    queries = queries_of(row(1, [0, 1], [1, 2], 3, "test", 3), row(2, [], [], 3, "test", 3))
    answers = baselines.popularity(queries, np.array([9, 8, 7, 6, 5], np.float32))
    assert answers.ranks.tolist() == [2, 4]
    assert answers.items[0, :4].tolist() == [2, 3, 4, -1]
    assert answers.items[1, :6].tolist() == [0, 1, 2, 3, 4, -1]


def test_transitions_weight_the_last_interaction_most() -> None:
    # 3 follows 0, and 4 follows 1: after 0, 1 the scores are 1.0 for item 4 and 0.7 for item 3
    matrix = csr_array((np.ones(2, np.float32), ([0, 1], [3, 4])), shape=(5, 5))
    queries = queries_of(row(1, [0, 1], [1, 2], 3, "test", 3), row(2, [1, 0], [1, 2], 3, "test", 3))
    answers = baselines.transitions(queries, matrix)
    assert answers.ranks.tolist() == [2, 1]
    assert answers.items[0, :2].tolist() == [4, 3]


def test_a_target_without_transitions_ties_with_all_items_and_ranks_last() -> None:
    queries = queries_of(row(1, [0], [1], 3, "test", 2))
    answers = baselines.transitions(queries, csr_array((5, 5), dtype=np.float32))
    assert answers.ranks.tolist() == [4]  # of the four unseen items


def test_recency_weights_by_hand() -> None:
    weights = baselines.recency_weights(
        [np.array([2, 0, 1, 2], np.int32), np.empty(0, np.int32)],
        [np.array([5, 6, 6, 9]), np.empty(0, np.int64)],
        3,
    )
    assert weights.toarray() == pytest.approx(np.array([[0.7, 0.7, 1 + 0.49], [0, 0, 0]]))


def test_a_seen_target_is_a_miss() -> None:
    queries = queries_of(row(1, [2, 3], [1, 2], 3, "test", 2))
    assert baselines.popularity(queries, np.ones(5, np.float32)).ranks.tolist() == [MISS]


def test_the_batch_size_does_not_change_ranks(monkeypatch) -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(30, 5)).astype(np.float32)
    queries = queries_of(*(row(user, [user % 3], [1], 3, "test", 3 + user % 2) for user in range(30)))
    whole = rank_all(lambda part: scores[part], queries, 5)
    monkeypatch.setattr(
        "components.evaluate_release.models.full_ranking.MAX_SCORES", 35
    )  # seven queries at once
    parts = rank_all(lambda part: scores[part], queries, 5)
    assert np.array_equal(whole.ranks, parts.ranks)
    assert np.array_equal(whole.items, parts.items)


def test_a_disliked_item_is_no_vote_and_not_recommended_when_seen_items_are_kept() -> None:
    rows = row(1, [0, 1], [1, 2], 3, "test", 2) | {"event_types": ["view", "dislike"]}
    table = pa.Table.from_pylist([rows], TRAINING_SET)
    queries = read_queries(table, "test", INDEX, 0, POLICY, keep_seen=True)
    follows = csr_array(np.array([[0, 0, 1, 2, 0], [0, 0, 0, 0, 9]] + [[0] * 5] * 3, np.float32))
    answers = baselines.transitions(queries, follows)
    assert answers.items[0, :3].tolist() == [3, 2, 0]
    assert 1 not in answers.items[0]


def test_the_order_inside_a_step_changes_no_weight() -> None:
    times = [np.array([1, 2, 2, 3])]
    weights = [
        baselines.recency_weights([np.array(items, np.int32)], times, 5).toarray().tolist()
        for items in ([0, 1, 2, 3], [0, 2, 1, 3], [0, 1, 3, 2])
    ]
    assert weights[0] == weights[1] != weights[2]


def test_popularity_gives_what_ranking_all_its_scores_gives() -> None:
    random = np.random.default_rng(3)
    popularity = random.integers(0, 4, 60).astype(np.float32)
    index = pa.array([f"i{item}" for item in range(60)])
    rows = [
        row(user, random.integers(0, 60, 12).tolist(), list(range(12)), 20, "test", int(random.integers(60)))
        for user in range(40)
    ]
    table = pa.Table.from_pylist(rows, TRAINING_SET)
    queries = read_queries(table, "test", index, 0, POLICY)
    disliked = [random.integers(0, 60, user % 3).astype(np.int32) for user in range(len(queries))]
    queries = replace(queries, disliked_before=disliked)

    answers = baselines.popularity(queries, popularity)

    expected = rank_all(
        lambda part: np.broadcast_to(popularity, (part.stop - part.start, 60)), queries, len(popularity)
    )
    assert (answers.ranks == MISS).any()
    assert np.array_equal(answers.ranks, expected.ranks)
    assert np.array_equal(answers.items, expected.items)
