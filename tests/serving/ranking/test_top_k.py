"""The positions of the highest scores."""

import numpy as np
import pytest

from serving.ranking.top_k import best_positions, kth_largest


def test_best_positions_are_ordered_by_score_and_ties_by_position() -> None:
    scores = np.array([1, 3, 2, 3, 0], np.float32)
    assert best_positions(scores, 3).tolist() == [1, 3, 2]
    assert best_positions(scores, 9).tolist() == [1, 3, 2, 0, 4]
    assert best_positions(scores, 0).tolist() == []
    assert best_positions(scores[:0], 3).tolist() == []


@pytest.mark.parametrize("values", [3, 40, 10_000])
def test_the_largest_are_those_of_a_sort(values: int) -> None:
    generator = np.random.default_rng(values)
    for count in (1, 2, 9, 59, 60, 61, 500):
        for scores in (drawn := generator.integers(-1, values, 500).astype(np.float32), np.sort(drawn)):
            assert (
                best_positions(scores, count).tolist() == np.argsort(-scores, kind="stable")[:count].tolist()
            )
            positive = np.sort(scores[scores > 0])
            expected = (
                positive[-count] if count < len(positive) else np.nextafter(np.float32(0), np.float32(1))
            )
            assert kth_largest(scores, count) == expected
