"""The release gate: enough queries, at least the best baseline, a difference that is shown."""

import pytest

from components.evaluate_online.candidate_estimates import EstimatedClicks
from components.evaluate_release.release_gate import (
    MIN_QUERIES,
    Comparison,
    Evidence,
    Incomparable,
    Interval,
    NoClicks,
    decide,
)

ABOVE, AROUND, BELOW = (0.01, 0.03), (-0.01, 0.02), (-0.03, -0.01)


def evidence(
    candidate: float = 0.11, difference: Interval | None = ABOVE, queries: int = 300, users: int = 120
) -> Evidence:
    return Evidence(queries, users, candidate, 0.10, "transition counts", difference)


def live(difference: Interval | None, queries: int | None = 120) -> Comparison:
    return Comparison(4, 0.09, 0.095, difference, measured="both on 120 queries", queries=queries)


CASES = [
    (evidence(), None, "better", "beats the best baseline, transition counts (0.1000)"),
    (evidence(difference=AROUND), None, "undecided", "not shown to beat, the best baseline"),
    (evidence(candidate=0.0999), None, "worse", "0.0999 is below the best baseline"),
    (evidence(), live(ABOVE), "better", "is better than the live version 4 (0.0900, both on 120 queries)"),
    (evidence(), live(AROUND), "undecided", "is not shown to differ from the live version 4"),
    (evidence(), live(None), "undecided", "there is no interval of the difference"),
    (evidence(), live(BELOW), "worse", "is worse than the live version 4"),
    (evidence(candidate=0.0999), live(ABOVE), "worse", "is below the best baseline"),
    (evidence(), Incomparable(4, "another protocol"), "undecided", "live version 4: another protocol"),
    (evidence(queries=4, users=1), None, "undecided", "4 test queries of 1 user can't show"),
    (evidence(0.01, BELOW, 99, 99), None, "undecided", f"at least {MIN_QUERIES} queries of 30 users"),
    (evidence(queries=2000, users=29), live(ABOVE), "undecided", "2,000 test queries of 29 users"),
]


@pytest.mark.parametrize(("evidence", "live_version", "outcome", "words"), CASES)
def test_decide_returns_the_outcome_with_a_reason(evidence, live_version, outcome, words) -> None:
    decision = decide(evidence, live_version, "review")
    assert decision.outcome == outcome
    assert words in decision.reason
    assert not decision.goes_live


@pytest.mark.parametrize(
    ("evidence", "live_version", "needed"),
    [
        (evidence(candidate=0.0988), None, "an NDCG@10 of at least 0.1000, 0.0012 more"),
        # The interval -0.01 to 0.02 has the mean 0.005 and the margin 0.015: three times as wide as shown,
        # so nine times as many queries.
        (
            evidence(difference=AROUND),
            None,
            "a difference above +0.0150, and has +0.0050; or about 2,700 test",
        ),
        (evidence(), live(AROUND), "a difference above +0.0150, and has +0.0050; or about 1,080 test"),
        (evidence(), live(BELOW), "a difference above +0.0100, and has -0.0200"),
        (evidence(), live(None), "test queries of 30 users in the comparison"),
        (
            evidence(),
            live(AROUND, queries=None),
            "a difference above +0.0150, and has +0.0050; or 100 test queries newer than the data of",
        ),
        (
            evidence(),
            Incomparable(4, "another protocol"),
            "100 test queries that are new to the live version",
        ),
    ],
)
def test_the_reason_says_what_a_release_needs_to_be_better(evidence, live_version, needed) -> None:
    assert f"to be better it needs {needed}" in decide(evidence, live_version, "auto").reason


@pytest.mark.parametrize("live_version", [None, live(ABOVE)])
def test_a_better_release_needs_nothing(live_version) -> None:
    assert "needs" not in decide(evidence(), live_version, "auto").reason


@pytest.mark.parametrize(
    ("policy", "live_version", "goes_live"),
    [
        ("auto", live(ABOVE), True),
        ("auto", live(AROUND), False),
        ("auto", live(BELOW), False),
        ("auto", Incomparable(4, "another protocol"), False),
        ("auto-unless-worse", live(AROUND), True),
        ("auto-unless-worse", Incomparable(4, "another protocol"), True),
        ("auto-unless-worse", live(BELOW), False),
        ("review", live(ABOVE), False),
    ],
)
def test_what_goes_live_depends_on_policy_and_evidence(policy, live_version, goes_live) -> None:
    decision = decide(evidence(), live_version, policy)
    assert decision.goes_live == goes_live
    assert ("review approve" in decision.reason) == (decision.outcome == "undecided" and not goes_live)


def test_the_first_release_goes_live_unless_it_is_worse_than_the_best_baseline() -> None:
    few = decide(evidence(queries=1, users=1), None, "auto")
    assert (few.outcome, few.goes_live) == ("undecided", True)
    assert "no version is live yet" in few.reason
    assert not decide(evidence(candidate=0.05), None, "auto").goes_live
    assert not decide(evidence(), None, "review").goes_live


def clicks(difference: Interval) -> EstimatedClicks:
    return EstimatedClicks("explore", 1_200, 310.0, 0.2, 0.23, difference)


@pytest.mark.parametrize(
    ("evidence", "live_version", "difference", "outcome", "words"),
    [
        (evidence(), live(AROUND), ABOVE, "better", "; more clicks: 0.230 an answer instead of 0.200"),
        (evidence(), live(AROUND), AROUND, "undecided", "; not shown to be more or fewer clicks: 0.230"),
        (evidence(), live(ABOVE), BELOW, "worse", "; fewer clicks: 0.230 an answer instead of 0.200"),
        (evidence(), live(BELOW), ABOVE, "worse", "; more clicks"),
        (evidence(candidate=0.09), live(AROUND), ABOVE, "worse", "0.0900 is below the best baseline"),
        (evidence(queries=9), live(AROUND), ABOVE, "undecided", "9 test queries of 120 users can't show"),
    ],
)
def test_fewer_clicks_stop_a_release_and_more_decide_for_it(
    evidence, live_version, difference, outcome, words
) -> None:
    decision = decide(evidence, live_version, "auto", clicks(difference))
    assert decision.outcome == outcome
    assert words in decision.reason
    assert decision.goes_live == (outcome == "better")
    assert "1,200 explored answers of the scenario explore that are worth 310" in decision.reason


def test_the_reason_says_why_clicks_were_not_used() -> None:
    with_clicks = decide(evidence(), live(ABOVE), "auto", NoClicks("no scenario explores"))
    assert with_clicks.reason.endswith("; clicks were not used: no scenario explores")
    assert "clicks" not in decide(evidence(), live(ABOVE), "auto").reason


@pytest.mark.parametrize("policy", ["auto", "auto-unless-worse", "review"])
@pytest.mark.parametrize("live_version", [None, live(ABOVE)])
def test_a_release_that_breaks_a_limit_of_fairness_waits_for_a_person(policy, live_version) -> None:
    decision = decide(evidence(), live_version, policy, unfair=["NDCG@10 of users with age 70 is low"])
    assert (decision.outcome, decision.goes_live) == ("better", False)
    assert "NDCG@10 of users with age 70 is low; it does not go live until a person" in decision.reason


def test_a_worse_release_is_worse_whatever_its_fairness() -> None:
    decision = decide(evidence(), live(BELOW), "auto", unfair=["it is unfair"])
    assert (decision.outcome, decision.goes_live) == ("worse", False)
    assert "; it is unfair; " in decision.reason
