"""Accuracy metrics, compared with results computed by hand and with simple implementations."""

from math import log2

import numpy as np
import pytest

from components.metrics import accuracy
from components.metrics.accuracy import MISS, PADDING


def test_ranks_count_ties_against_the_model() -> None:
    # item 2 has the same score as items 0 and 3; item 1 has a higher one
    scores = np.array([[0.5, 0.9, 0.5, 0.5, 0.1]], np.float32)
    assert accuracy.ranks_of(scores, np.array([2])).tolist() == [4]


def test_constant_scores_rank_every_target_last() -> None:
    assert accuracy.ranks_of(np.zeros((2, 7), np.float32), np.array([0, 6])).tolist() == [7, 7]


def test_an_excluded_target_is_a_miss() -> None:
    scores = np.array([[1.0, -np.inf], [1.0, 2.0], [np.nan, 1.0]], np.float32)
    assert accuracy.ranks_of(scores, np.array([1, -1, 0])).tolist() == [MISS, MISS, MISS]


def test_top_items_are_sorted_with_ties_in_index_order_and_padded() -> None:
    scores = np.array([[1.0, 3.0, 3.0, 2.0], [-np.inf, 0.0, -np.inf, -np.inf]], np.float32)
    assert accuracy.top_items(scores, 3).tolist() == [[1, 2, 3], [1, -1, -1]]
    assert accuracy.top_items(scores, 5).tolist() == [[1, 2, 3, 0, -1], [1, -1, -1, -1, -1]]


# Three targets ranked 1, 3 and 12; k = 10: two hits.
# DCG = 1/log2(2) + 1/log2(4) = 1.5; ideal = 1 + 1/log2(3) + 1/log2(4) = 2.130930
@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("recall", 2 / 3),
        ("precision", 2 / 10),
        ("f1", 2 * 0.2 * (2 / 3) / (0.2 + 2 / 3)),
        ("hr", 1.0),
        ("ndcg", 1.5 / 2.1309297535714578),
        ("mrr", 1.0),
    ],
)
def test_several_targets_by_hand(metric, expected) -> None:
    ranks = np.array([[1, 3, 12]])
    assert accuracy.ACCURACY[metric](ranks, 10) == pytest.approx([expected])


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("recall", [1, 1, 0, 0]),
        ("precision", [0.1, 0.1, 0, 0]),
        ("f1", [2 / 11, 2 / 11, 0, 0]),
        ("hr", [1, 1, 0, 0]),
        ("ndcg", [1, 1 / log2(11), 0, 0]),
        ("mrr", [1, 0.1, 0, 0]),
    ],
)
def test_one_target_by_hand(metric, expected) -> None:
    """Ranks 1 and 10 are hits; rank 11 and MISS are not."""
    assert accuracy.ACCURACY[metric](np.array([1, 10, 11, MISS]), 10) == pytest.approx(expected)


@pytest.mark.parametrize("metric", list(accuracy.ACCURACY))
def test_padding_changes_nothing(metric) -> None:
    measure = accuracy.ACCURACY[metric]
    padded = measure(np.array([[2, 5, PADDING, PADDING], [4, PADDING, PADDING, PADDING]]), 5)
    assert padded == pytest.approx([measure(np.array([[2, 5]]), 5)[0], measure(np.array([4]), 5)[0]])


def naive(ranked: list[int], relevant: set[int], k: int) -> dict[str, float]:
    """The textbook definitions over a ranked list, item by item."""
    hits = [position for position, item in enumerate(ranked[:k], start=1) if item in relevant]
    p, r = len(hits) / k, len(hits) / len(relevant)
    ideal = sum(1 / log2(position + 1) for position in range(1, min(k, len(relevant)) + 1))
    return {
        "recall": r,
        "precision": p,
        "f1": 2 * p * r / (p + r) if hits else 0.0,
        "hr": float(bool(hits)),
        "ndcg": sum(1 / log2(position + 1) for position in hits) / ideal,
        "mrr": 1 / hits[0] if hits else 0.0,
    }


@pytest.mark.parametrize("k", [1, 5, 20])
def test_agreement_with_textbook_definitions_on_random_rankings(k) -> None:
    rng = np.random.default_rng(k)
    expected, ranks = [], np.zeros((200, 6), np.int64)
    for row in ranks:
        ranked = rng.permutation(50)
        relevant = rng.choice(50, size=rng.integers(1, 7), replace=False)
        row[: len(relevant)] = [1 + int(np.flatnonzero(ranked == item)[0]) for item in relevant]
        expected.append(naive(ranked.tolist(), set(relevant.tolist()), k))
    for name, metric in accuracy.ACCURACY.items():
        assert metric(ranks, k) == pytest.approx([query[name] for query in expected]), name


def test_ndcg_agrees_with_scikit_learn_on_random_scores() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(100, 40))
    targets = rng.integers(40, size=100)
    from sklearn.metrics import ndcg_score  # seconds, which no other test needs

    relevance = np.zeros_like(scores)
    relevance[np.arange(100), targets] = 1
    ours = accuracy.ndcg(accuracy.ranks_of(scores, targets), 10)
    theirs = [ndcg_score(r[None], s[None], k=10) for r, s in zip(relevance, scores, strict=True)]
    assert ours == pytest.approx(theirs)


@pytest.mark.parametrize("distinct", [1, 2, 30, 10**6])
def test_top_items_are_those_of_a_stable_sort_of_many_items(distinct: int) -> None:
    scores = np.random.default_rng(distinct).integers(0, distinct, (5, 1_000)).astype(np.float32)
    scores[:, ::7] = -np.inf
    scores[4, 3:] = -np.inf
    top = accuracy.top_items(scores, 20)
    assert top[:4].tolist() == np.argsort(-scores[:4], axis=1, kind="stable")[:, :20].tolist()
    assert set(top[4].tolist()) == {1, 2, -1}


def test_ranks_agree_with_top_items_where_nothing_ties() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(50, 30))
    targets = rng.integers(30, size=50)
    in_list = (accuracy.top_items(scores, 10) == targets[:, None]).any(axis=1)
    assert np.array_equal(accuracy.ranks_of(scores, targets) <= 10, in_list)
