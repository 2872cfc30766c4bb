"""Stored answers: they read back as they were, and queries of two versions are paired by what they ask."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from components.evaluate_release.dossier.held_out_answers import shared_queries
from components.evaluate_release.dossier.stored_evaluation import StoredEvaluation
from tests.components.evaluate_release.dossier.stored import DAY, N_USERS, answers, items, stored


def test_a_stored_evaluation_reads_back_as_it_was_written(tmp_path: Path) -> None:
    written = stored()
    written.write(tmp_path)
    read = StoredEvaluation.read(tmp_path)
    assert read.facts == written.facts
    assert read.items.table == written.items.table
    assert np.array_equal(read.users, written.users)
    for name in ("user_ids", "cutoffs", "target_ids", "lengths", "history"):
        assert np.array_equal(getattr(read.answers, name), getattr(written.answers, name)), name
    for name, ranks in written.answers.ranks.items():
        assert np.array_equal(read.answers.ranks[name], ranks)
        assert np.array_equal(read.answers.items[name], written.answers.items[name])
    assert list(read.answers.slices["half"]) == ["first", "second"]
    assert np.array_equal(read.answers.slices["half"]["first"], written.answers.slices["half"]["first"])


def test_queries_are_shared_if_user_time_and_target_are_equal() -> None:
    ours, theirs = answers(1), answers(1)
    order = np.random.default_rng(0).permutation(N_USERS)
    theirs = replace(
        theirs,
        user_ids=theirs.user_ids[order],
        cutoffs=theirs.cutoffs[order] + DAY * (order == 3),
        target_ids=np.where(order == 5, "other", theirs.target_ids[order]),
    )
    left, right = shared_queries(ours, theirs)
    assert left.tolist() == [user for user in range(N_USERS) if user not in (3, 5)]
    assert order[right].tolist() == left.tolist()


def test_a_query_that_is_there_twice_is_paired_once() -> None:
    twice = replace(
        answers(1),
        user_ids=np.full(N_USERS, "u"),
        cutoffs=np.zeros(N_USERS, np.int64),
        target_ids=np.full(N_USERS, "i"),
    )
    left, right = shared_queries(twice, twice)
    assert left.tolist() == list(range(N_USERS))
    assert len(right) == N_USERS


def test_items_of_another_catalog_are_mapped_by_their_id() -> None:
    small, large = items(3), items(5)
    assert small.rows_of(large).tolist() == [0, 1, 2, -1, -1, -1]
    assert large.rows_of(small).tolist() == [0, 1, 2, -1]
    assert (large.index("i4"), large.title(4), large.index("none")) == (4, "Film <4>", -1)
