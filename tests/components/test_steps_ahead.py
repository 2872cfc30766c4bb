"""Queries are paired with later ones of the same user."""

import numpy as np

from components.steps_ahead import steps_ahead


def test_a_step_is_all_queries_of_one_cutoff_and_pairs_stay_within_a_user() -> None:
    users = np.array(["a", "a", "a", "a", "b", "b"])
    cutoffs = np.array([1, 2, 2, 3, 3, 4])

    pairs = [(now.tolist(), later.tolist()) for now, later in steps_ahead(users, cutoffs, 3)]

    assert pairs == [([0, 1, 4], [1, 3, 5]), ([0], [3]), ([], [])]


def test_no_query_has_no_pair() -> None:
    assert [len(now) for now, _ in steps_ahead(np.array([]), np.array([]), 2)] == [0, 0]
