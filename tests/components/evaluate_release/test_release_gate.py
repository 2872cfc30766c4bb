"""The rule: beat popularity, and keep 97 % of what is live."""

import pytest

from components.evaluate_release.release_gate import Comparison, Incomparable, judge


def live(candidate: float, figure: float) -> Comparison:
    return Comparison(version=4, live=figure, candidate=candidate, measured="both on 120 queries")


@pytest.mark.parametrize(
    ("candidate", "popularity", "beside", "verdict", "words"),
    [
        (0.11, 0.04, None, "better", "nothing is live yet"),
        (0.04, 0.04, None, "worse", "does not beat popularity"),
        (0.11, 0.04, live(0.097, 0.1), "better", "keeps 97% of the live version 4"),
        (0.11, 0.04, live(0.0969, 0.1), "worse", "falls below 97% of the live version 4"),
        (0.03, 0.04, live(0.2, 0.1), "worse", "does not beat popularity"),
        (0.11, 0.04, Incomparable(4, "another protocol"), "worse", "another protocol; a reviewer decides"),
    ],
)
def test_verdicts(candidate, popularity, beside, verdict, words):
    found = judge(candidate, popularity, beside)
    assert found.verdict == verdict
    assert words in found.reason


def test_the_reason_carries_the_figures_that_decided():
    reason = judge(0.11, 0.04, live(0.09, 0.1)).reason
    for figure in ("0.1100", "0.0400", "0.0900", "0.1000", "both on 120 queries"):
        assert figure in reason
