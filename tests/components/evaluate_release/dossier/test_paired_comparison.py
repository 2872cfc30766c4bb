"""Paired comparisons: significance by slice, and its correction for many slices."""

import numpy as np
import pytest

from components.evaluate_release.dossier.paired_comparison import PairedRow, adjust, compare

N = 120
USERS = np.arange(N)
THEIRS = np.random.default_rng(0).random(N)


def test_a_slice_is_worse_where_the_model_loses_and_the_same_where_it_does_not_differ() -> None:
    loses, few = USERS < 40, USERS >= 110
    ours = THEIRS - 0.3 * loses
    masks = {"part": {"loses": loses, "equal": (USERS >= 40) & (USERS < 110), "few": few, "none": USERS < 0}}
    everything, *rows = compare(ours, THEIRS, USERS, masks, seed=0)
    assert (everything.dimension, everything.queries, everything.verdict) == ("", N, "worse")
    assert [(row.label, row.verdict) for row in rows] == [
        ("loses", "worse"),
        ("equal", "same"),
        ("few", "few users"),
    ]
    assert rows[0].difference == pytest.approx(-0.3)
    assert rows[0].low == pytest.approx(-0.3)
    assert (rows[2].low, rows[2].high, rows[2].p_value) == (None, None, None)


def test_queries_of_one_user_are_one_observation() -> None:
    of_ten_users = compare(THEIRS + 0.1, THEIRS, USERS // 12, {}, seed=0)[0]
    assert (of_ten_users.queries, of_ten_users.users, of_ten_users.verdict) == (120, 10, "few users")


def row(dimension: str, p_value: float | None) -> PairedRow:
    return PairedRow(dimension, "x", 100, 100, 0.2, 0.1, 0.0, 0.2, p_value)


def test_p_values_of_all_slices_are_adjusted_together_by_benjamini_and_hochberg() -> None:
    first, second = adjust(
        [[row("", 0.04), row("a", 0.01), row("a", None)], [row("", 0.04), row("a", 0.04), row("b", 0.03)]]
    )
    # p * 3 / rank, made monotone from the largest: 0.03, 0.04, 0.04
    assert [r.p_value for r in first] == [0.04, pytest.approx(0.03), None]
    assert [r.p_value for r in second] == [0.04, pytest.approx(0.04), pytest.approx(0.04)]


def test_a_chance_finding_among_many_slices_is_not_marked() -> None:
    rows = [row("", 0.5), row("a", 0.03), *(row("a", 0.5) for _ in range(20))]
    assert rows[1].verdict == "better"
    assert {r.verdict for r in adjust([rows])[0]} == {"same"}


def test_without_a_tested_slice_nothing_changes() -> None:
    assert adjust([[row("", 0.04)], []]) == [[row("", 0.04)], []]
