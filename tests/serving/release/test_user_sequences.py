"""Sequence-aware neighbours against a loop over users, and on worlds whose answer is obvious."""

from pathlib import Path

import numpy as np
import pytest

from serving.ranking import signals
from serving.ranking.signals import Query
from serving.ranking.sparse_scores import SparseScores
from serving.release import user_sequences
from serving.release.user_sequences import AHEAD, UserSequences

HOUR = 3_600_000_000
ITEMS = 30


def drawn(seed: int, users: int = 50) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, 25, users)
    owners = np.repeat(np.arange(users), lengths).astype(np.int32)
    items = generator.integers(0, ITEMS, len(owners)).astype(np.int32)
    steps = generator.integers(0, 20 * HOUR, len(owners))
    starts = 450_000 * HOUR + generator.integers(0, 500 * HOUR, users)
    timestamps = np.concatenate(
        [starts[user] + np.cumsum(steps[owners == user]) for user in range(users)]
    ).astype(np.int64)
    return owners, items, timestamps


def by_loop(
    owners: np.ndarray, items: np.ndarray, timestamps: np.ndarray, query: Query, neighbours: int, pace: int
) -> np.ndarray:
    """[items] what `UserSequences.following` says, written as its docstring is."""
    weights = {}
    for age, item in enumerate(query.history[::-1][: signals.NEXT_INTERACTIONS].tolist(), start=1):
        weights[item] = weights.get(item, 0.0) + 1 / age
    norm = sum(1 / age for age in range(1, len(query.history[-signals.NEXT_INTERACTIONS :]) + 1))
    likeness = {}
    for user in range(owners.max() + 1):
        own = items[owners == user].tolist()
        likeness[user] = sum(weights.get(item, 0.0) / norm for item in own) / len(own) ** 0.25
    bound = sorted(likeness.values())[-neighbours] if len(likeness) > neighbours else 0.0
    scores = np.zeros(ITEMS)
    for user, like in likeness.items():
        if like < max(bound, 1e-30):
            continue
        own, times = items[owners == user].tolist(), timestamps[owners == user]
        for place, item in enumerate(own):
            away = abs(int(times[place]) - int(query.timestamps[-1])) / pace
            loudness = weights.get(item, 0.0) / norm * like**2 / (1 + away)
            for distance, following in enumerate(own[place + 1 : place + 1 + AHEAD], start=1):
                scores[following] += loudness / distance
    return scores


@pytest.mark.parametrize("neighbours", [5, 300])
@pytest.mark.parametrize("history", [[3], [4, 7, 4], list(range(30)) * 3])
def test_what_followed_is_what_a_loop_over_users_finds(
    neighbours: int, history: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_sequences, "NEIGHBOURS", neighbours)
    owners, items, timestamps = drawn(seed=1)
    known = UserSequences.of(owners, items, timestamps, ITEMS, pace=72 * HOUR)
    times = 450_200 * HOUR + np.arange(len(history), dtype=np.int64)
    query = Query(np.array(history, np.int32), times, None, now=0)
    found = signals._sequence_knn(known, query).sums
    expected = by_loop(owners, items, timestamps, query, neighbours, 72 * HOUR)
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-7)


def test_the_order_of_choices_decides() -> None:
    # Who chose 0 then 1 goes on with 2, who chose 1 then 0 with 3.
    owners = np.repeat(np.arange(6), 3).astype(np.int32)
    items = np.array([0, 1, 2] * 3 + [1, 0, 3] * 3, np.int32)
    known = UserSequences.of(owners, items, np.arange(18, dtype=np.int64), 4, pace=HOUR)
    for history, follows, other in (([0, 1], 2, 3), ([1, 0], 3, 2)):
        query = Query(np.array(history, np.int32), np.zeros(2, np.int64), None, now=0)
        sums = signals._sequence_knn(known, query).sums
        assert sums[follows] > sums[other]


def test_choices_of_the_same_days_speak_louder() -> None:
    owners = np.repeat(np.arange(2), 2).astype(np.int32)
    timestamps = np.array([0, 0, 1_000 * HOUR, 1_000 * HOUR])
    known = UserSequences.of(owners, np.array([0, 1, 0, 2], np.int32), timestamps, 3, pace=72 * HOUR)
    lately = Query(np.array([0], np.int32), np.array([990 * HOUR]), None, now=0)
    assert np.argmax(signals._sequence_knn(known, lately).sums) == 2
    long_ago = Query(np.array([0], np.int32), np.array([10 * HOUR]), None, now=0)
    assert np.argmax(signals._sequence_knn(known, long_ago).sums) == 1


def test_without_history_nobody_is_asked() -> None:
    known = UserSequences.of(*drawn(seed=2), ITEMS, pace=HOUR)
    nothing = Query(np.empty(0, np.int32), np.empty(0, np.int64), None, now=0)
    assert not signals._sequence_knn(known, nothing).sums.any()


def test_votes_for_no_item_are_given_to_none() -> None:
    votes = SparseScores.of(np.array([2, 5, 5, 0], np.int32), np.array([1, 9, 9, 2], np.float32), 5)
    sums = votes.to_dense()
    np.testing.assert_array_equal(sums.sums, [2, 0, 1, 0, 0])
    for asked in (votes, sums):
        assert asked.total == 21
        np.testing.assert_array_equal(asked.at(np.array([0, 2, 4], np.int32)), [2, 1, 0])
        assert set(asked.top_k(3).tolist()) == {0, 2}


def test_saved_sequences_load_as_they_were(tmp_path: Path) -> None:
    known = UserSequences.of(*drawn(seed=3), ITEMS, pace=5 * HOUR)
    known.save(tmp_path)
    loaded = UserSequences.load(tmp_path)
    history, weights = np.array([3, 8], np.int32), np.array([0.3, 0.7], np.float32)
    for found, expected in zip(
        loaded.following(history, weights, 450_100 * HOUR),
        known.following(history, weights, 450_100 * HOUR),
        strict=True,
    ):
        np.testing.assert_array_equal(found, expected)
