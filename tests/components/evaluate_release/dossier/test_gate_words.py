"""What the gate would need, in words."""

import pytest

from components.evaluate_release.dossier.gate_words import what_it_would_take
from components.evaluate_release.dossier.paired_comparison import PairedRow
from tests.components.evaluate_release.dossier.stored import facts

GATE = facts()["gate"]


def row(difference: float, low: float | None, high: float | None) -> PairedRow:
    return PairedRow("", "all queries", 1000, 200, 0.1 + difference, 0.1, low, high, None)


@pytest.mark.parametrize(
    ("difference", "low", "high", "expected"),
    [
        # half of the width is twice the difference: four times as many queries
        (0.01, -0.01, 0.03, "a difference above 0.0200 instead of 0.0100, or about 4,000 instead of 1,000"),
        (-0.01, -0.03, 0.01, "an NDCG@10 that is about 0.0300 higher"),
        (0.01, 0.005, 0.015, "A person may approve"),
        (0.01, None, None, "at least 30 users"),
    ],
)
def test_an_undecided_difference_tells_what_would_decide_it(
    difference: float, low: float | None, high: float | None, expected: str
) -> None:
    assert expected in what_it_would_take(facts(), True, row(difference, low, high), row(0, 0, 0))


def test_without_a_live_version_the_best_baseline_takes_its_place() -> None:
    assert "at least 30 users in the comparison with the best baseline" in what_it_would_take(
        facts(), False, None, row(0, None, None)
    )


def test_a_live_version_that_answered_no_query_can_not_be_compared() -> None:
    assert "newer than the data of the live version" in what_it_would_take(facts(), True, None, row(0, 0, 0))


def test_too_few_queries_are_counted() -> None:
    few = facts(counts={"test_queries": 60, "test_users": 10})
    assert what_it_would_take(few, False, None, row(0, 0, 0)) == (
        "It would take 40 more test queries and 20 more users with one."
    )


def test_below_the_best_baseline_its_figure_is_named() -> None:
    figures = {"served": {"ndcg_at_10": {"value": 0.1}}, "transitions": {"ndcg_at_10": {"value": 0.13}}}
    words = what_it_would_take(
        facts(gate=GATE | {"outcome": "worse"}, figures=figures), True, None, row(0, 0, 0)
    )
    assert "0.0300 higher, as high as that of the best baseline, transition counts" in words


def test_a_better_version_needs_nothing() -> None:
    assert what_it_would_take(facts(gate=GATE | {"outcome": "better"}), True, None, row(0, 0, 0)) == ""
