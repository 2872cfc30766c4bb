"""The positions of the highest scores."""

import numpy as np

from serving.ranking.top_k import best_positions


def test_best_positions_are_ordered_by_score_and_ties_by_position() -> None:
    scores = np.array([1, 3, 2, 3, 0], np.float32)
    assert best_positions(scores, 3).tolist() == [1, 3, 2]
    assert best_positions(scores, 9).tolist() == [1, 3, 2, 0, 4]
    assert best_positions(scores, 0).tolist() == []
    assert best_positions(scores[:0], 3).tolist() == []
