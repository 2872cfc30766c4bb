"""Tests of sequence-aware neighbours against a loop over users, and on data with an obvious result."""

from pathlib import Path

import numpy as np
import pytest

from serving.ranking import source_scores
from serving.release import user_sequences
from serving.release.user_sequences import STEPS_AHEAD, UserSequences

HOUR = 3_600_000_000
ITEMS = 30


def random_sequences(seed: int, users: int = 50) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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
    sequences: tuple[np.ndarray, np.ndarray, np.ndarray],
    history: list[int],
    end: int,
    neighbours: int,
    half_weight_us: int,
) -> np.ndarray:
    """Return scores [items], computed as the docstring of `UserSequences.next_choices` describes them."""
    owners, items, timestamps = sequences
    weights = dict[int, float]()
    for age, item in enumerate(history[::-1][: source_scores.NEXT_INTERACTIONS], start=1):
        weights[item] = weights.get(item, 0.0) + 1 / age
    norm = sum(1 / age for age in range(1, len(history[-source_scores.NEXT_INTERACTIONS :]) + 1))
    similarity = {}
    for user in range(owners.max() + 1):
        own = items[owners == user].tolist()
        similarity[user] = sum(weights.get(item, 0.0) / norm for item in own) / len(own) ** 0.25
    bound = sorted(similarity.values())[-neighbours] if len(similarity) > neighbours else 0.0
    scores = np.zeros(ITEMS)
    for user, similar in similarity.items():
        if similar < max(bound, 1e-30):
            continue
        own, times = items[owners == user].tolist(), timestamps[owners == user]
        for position, item in enumerate(own):
            distance = abs(int(times[position]) - end) / half_weight_us
            weight = weights.get(item, 0.0) / norm * similar**2 / (1 + distance)
            for step, next_item in enumerate(own[position + 1 : position + 1 + STEPS_AHEAD], start=1):
                scores[next_item] += weight / step
    return scores


def scores(sequences: UserSequences, history: list[int], timestamps: np.ndarray) -> np.ndarray:
    return source_scores.sequence_knn(sequences, np.array(history, np.int32), timestamps).sums


@pytest.mark.parametrize("neighbours", [5, 300])
@pytest.mark.parametrize("history", [[3], [4, 7, 4], list(range(30)) * 3])
def test_scores_equal_those_of_a_loop_over_users(
    neighbours: int, history: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_sequences, "SEQUENCE_NEIGHBOURS", neighbours)
    data = random_sequences(seed=1)
    sequences = UserSequences.of(*data, ITEMS, half_weight_us=72 * HOUR)
    times = 450_200 * HOUR + np.arange(len(history), dtype=np.int64)
    expected = by_loop(data, history, int(times[-1]), neighbours, 72 * HOUR)
    np.testing.assert_allclose(scores(sequences, history, times), expected, rtol=2e-3, atol=1e-7)


def test_the_order_of_choices_decides() -> None:
    # Users who chose 0 then 1 chose 2 next; users who chose 1 then 0 chose 3 next.
    owners = np.repeat(np.arange(6), 3).astype(np.int32)
    items = np.array([0, 1, 2] * 3 + [1, 0, 3] * 3, np.int32)
    sequences = UserSequences.of(owners, items, np.arange(18, dtype=np.int64), 4, half_weight_us=HOUR)
    for history, next_item, other in (([0, 1], 2, 3), ([1, 0], 3, 2)):
        sums = scores(sequences, history, np.zeros(2, np.int64))
        assert sums[next_item] > sums[other]


def test_choices_near_in_time_have_larger_weights() -> None:
    owners = np.repeat(np.arange(2), 2).astype(np.int32)
    timestamps = np.array([0, 1, 1_000 * HOUR, 1_000 * HOUR + 1])
    sequences = UserSequences.of(
        owners, np.array([0, 1, 0, 2], np.int32), timestamps, 3, half_weight_us=72 * HOUR
    )
    assert np.argmax(scores(sequences, [0], np.array([990 * HOUR]))) == 2
    assert np.argmax(scores(sequences, [0], np.array([10 * HOUR]))) == 1


def test_items_of_one_timestamp_are_not_next_to_each_other() -> None:
    owners, timestamps = np.zeros(5, np.int32), np.array([0, 0, 0, HOUR, 2 * HOUR])
    sequences = UserSequences.of(owners, np.arange(5, dtype=np.int32), timestamps, 5, half_weight_us=HOUR)
    first = [scores(sequences, [item], np.zeros(1, np.int64)) for item in range(3)]
    assert set(np.flatnonzero(first[0]).tolist()) == {3, 4}
    assert first[0][3] == 2 * first[0][4]
    np.testing.assert_array_equal(first[1:], [first[0]] * 2)


def test_scores_are_zero_without_a_history() -> None:
    sequences = UserSequences.of(*random_sequences(seed=2), ITEMS, half_weight_us=HOUR)
    assert not scores(sequences, [], np.empty(0, np.int64)).any()


def test_saved_sequences_load_unchanged(tmp_path: Path) -> None:
    sequences = UserSequences.of(*random_sequences(seed=3), ITEMS, half_weight_us=5 * HOUR)
    sequences.save(tmp_path)
    loaded = UserSequences.load(tmp_path)
    history, weights = np.array([3, 8], np.int32), np.array([0.3, 0.7], np.float32)
    for array, expected in zip(
        loaded.next_choices(history, weights, 450_100 * HOUR),
        sequences.next_choices(history, weights, 450_100 * HOUR),
        strict=True,
    ):
        np.testing.assert_array_equal(array, expected)
