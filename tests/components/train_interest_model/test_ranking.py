import numpy as np
import pytest

from components.train_interest_model.ranking import hit_rate_at_k, ndcg_at_k, rank_targets


def test_a_tie_counts_against_the_target() -> None:
    scores = np.array([[0.1, 0.9, 0.9, 0.9], [3.0, 2.0, 1.0, 0.0]], np.float32)
    assert rank_targets(scores, np.array([1, 1], np.int32)).tolist() == [2, 1]


def test_a_filtered_target_is_a_miss() -> None:
    scores = np.array([[-np.inf, 1.0, 0.5]], np.float32)
    ranks = rank_targets(scores, np.array([0], np.int32))
    assert hit_rate_at_k(ranks, k=3) == 0


def test_ndcg_by_hand() -> None:
    ranks = np.array([0, 2, 9, 10])
    # 1/log2(2) + 1/log2(4) + 1/log2(11) + 0, over 4
    assert ndcg_at_k(ranks, 10) == pytest.approx((1 + 0.5 + 0.28906) / 4, abs=1e-5)
    assert hit_rate_at_k(ranks, 10) == 0.75
