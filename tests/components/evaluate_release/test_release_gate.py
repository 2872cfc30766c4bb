"""The release gate: beat popularity, and reach 97 % of the live version."""

import pytest

from components.evaluate_release.release_gate import Comparison, Incomparable, decide


def live(candidate: float, live: float) -> Comparison:
    return Comparison(version=4, live=live, candidate=candidate, measured="both on 120 queries")


@pytest.mark.parametrize(
    ("candidate", "popularity", "live_version", "outcome", "words"),
    [
        (0.11, 0.04, None, "better", "no version is live yet"),
        (0.04, 0.04, None, "worse", "does not beat popularity"),
        (0.11, 0.04, live(0.097, 0.1), "better", "reaches 97% of the live version 4"),
        (0.11, 0.04, live(0.0969, 0.1), "worse", "is below 97% of the live version 4"),
        (0.03, 0.04, live(0.2, 0.1), "worse", "does not beat popularity"),
        (0.11, 0.04, Incomparable(4, "another protocol"), "worse", "another protocol; a reviewer decides"),
    ],
)
def test_decide_returns_the_outcome_with_a_reason(
    candidate, popularity, live_version, outcome, words
) -> None:
    decision = decide(candidate, popularity, live_version)
    assert decision.outcome == outcome
    assert words in decision.reason


def test_the_reason_has_all_figures() -> None:
    reason = decide(0.11, 0.04, live(0.09, 0.1)).reason
    for figure in ("0.1100", "0.0400", "0.0900", "0.1000", "both on 120 queries"):
        assert figure in reason
