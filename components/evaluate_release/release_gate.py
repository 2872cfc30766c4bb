"""The release gate: decides whether a candidate is better than the live version, and whether it goes live."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from components.evaluate_online.candidate_estimates import EstimatedClicks
from components.metrics.bootstrap import MIN_USERS
from feature_repo.counts import counted

# Fewer test queries than this decide nothing: an NDCG@10 of 0.2 on 100 queries has a standard error of about
# 0.03, so that differences of a few percent cannot be seen.
MIN_QUERIES: Final = 100

Outcome = Literal["better", "undecided", "worse"]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Evidence:
    """NDCG@10 of the candidate and of the best baseline on all test queries."""

    queries: int
    users: int
    candidate: float
    baseline: float
    baseline_name: str
    difference: Interval | None  # of the candidate minus the baseline, 95 %, paired; None: too few users


@dataclass(frozen=True)
class Comparison:
    """NDCG@10 of the live version and of the candidate, measured in the same way."""

    version: int
    live: float
    candidate: float
    difference: Interval | None  # of the candidate minus the live version, 95 %; None: there is none
    measured: str  # on what: "both on the 312 test queries newer than …"
    queries: int | None = None  # that both answered; None where each was measured on its own


@dataclass(frozen=True)
class Incomparable:
    """The reason why the live version's metrics can't be compared with the candidate's."""

    version: int
    reason: str


@dataclass(frozen=True)
class NoClicks:
    """The reason why clicks say nothing about the candidate."""

    reason: str


@dataclass(frozen=True)
class GateDecision:
    """The outcome, a sentence that gives the reason, and whether the release goes live without a review."""

    outcome: Outcome
    reason: str
    goes_live: bool = False


def decide(
    evidence: Evidence,
    live: Comparison | Incomparable | None,
    policy: str,
    clicks: EstimatedClicks | NoClicks | None = None,
    unfair: Sequence[str] = (),
) -> GateDecision:
    """Decide "better" or "worse" where the evidence suffices, else "undecided".

    - Enough queries: at least MIN_QUERIES of MIN_USERS users.
    - At least the best baseline: a lower NDCG@10 is "worse".
    - Against the live version: "better" if the 95 % interval of the difference is above zero, "worse" if it
      is below. Without a live version, the best baseline takes its place.
    - Clicks: "worse" if the interval of their difference is below zero; "better" if it is above and all of
      the above leaves it "undecided" only for its interval.

    The reason says what a release that is not "better" would need, and what clicks say, or why nothing.

    Under the policy "auto" a better release goes live, and the first one unless it is worse: there is no
    version that it could replace. Under "auto-unless-worse" an undecided release goes live too, under
    "review" none does. Nor does one that breaks a limit of fairness, under any policy.

    Args:
        live: None before the first release.
        clicks: None if they are not looked at.
        unfair: a clause for each limit of fairness that is broken.
    """
    outcome, reason = _judge(evidence, live)
    by_clicks = _sign(clicks.difference) if isinstance(clicks, EstimatedClicks) else "undecided"
    if by_clicks == "worse" or (by_clicks == "better" and _is_reached(outcome, evidence)):
        outcome = by_clicks
    elif needed := _needed(outcome, evidence, live):
        reason = f"{reason}; to be better it needs {needed}"
    reason += _about(clicks)
    if unfair:
        advice = "it does not go live until a person decides (`penchant review approve`)"
        return GateDecision(outcome, "; ".join((reason, *unfair, advice)), goes_live=False)
    if policy == "review" or outcome == "worse":
        return GateDecision(outcome, reason, goes_live=False)
    if live is None or outcome == "better" or policy == "auto-unless-worse":
        return GateDecision(outcome, reason, goes_live=True)
    advice = (
        f"version {live.version} stays live until a person decides (`penchant review approve`), or the "
        "policy is auto-unless-worse"
    )
    return GateDecision(outcome, f"{reason}; {advice}", goes_live=False)


def _judge(evidence: Evidence, live: Comparison | Incomparable | None) -> tuple[Outcome, str]:
    first = "; no version is live yet" if live is None else ""
    if evidence.queries < MIN_QUERIES or evidence.users < MIN_USERS:
        return "undecided", (
            f"{counted(evidence.queries, 'test query', 'test queries')} of "
            f"{counted(evidence.users, 'user')} can't show whether it is better: at least "
            f"{MIN_QUERIES} queries of {MIN_USERS} users are needed{first}"
        )
    figures = f"NDCG@10 {evidence.candidate:.4f}"
    baseline = f"the best baseline, {evidence.baseline_name} ({evidence.baseline:.4f})"
    if evidence.candidate < evidence.baseline:
        return "worse", f"{figures} is below {baseline}"
    if live is None:
        outcome = _sign(evidence.difference)
        beats = "beats" if outcome == "better" else "reaches, but is not shown to beat,"
        return outcome, f"{figures} {beats} {baseline}{_interval(evidence.difference)}{first}"
    reached = f"{figures} reaches {baseline}"
    if isinstance(live, Incomparable):
        return "undecided", (
            f"{reached}, but can't be compared with the live version {live.version}: {live.reason}"
        )
    outcome = _sign(live.difference)
    words = {"better": "is better than", "worse": "is worse than", "undecided": "is not shown to differ from"}
    return outcome, (
        f"{reached}, and {live.candidate:.4f} {words[outcome]} the live version {live.version} "
        f"({live.live:.4f}, {live.measured}){_interval(live.difference)}"
    )


def _is_reached(outcome: Outcome, evidence: Evidence) -> bool:
    """Return whether enough queries show that the candidate is not worse than the best baseline."""
    return outcome == "undecided" and evidence.queries >= MIN_QUERIES and evidence.users >= MIN_USERS


def _about(clicks: EstimatedClicks | NoClicks | None) -> str:
    if clicks is None:
        return ""
    if isinstance(clicks, NoClicks):
        return f"; clicks were not used: {clicks.reason}"
    low, high = clicks.difference
    words = {"better": "more", "worse": "fewer", "undecided": "not shown to be more or fewer"}
    return (
        f"; {words[_sign(clicks.difference)]} clicks: {clicks.candidate:.3f} an answer instead of "
        f"{clicks.live:.3f}, estimated from {clicks.answers:,} explored answers of the scenario "
        f"{clicks.scenario} that are worth {clicks.effective:,.0f} of the candidate's own, 95 % interval of "
        f"the difference {low:+.3f} to {high:+.3f}"
    )


def _needed(outcome: Outcome, evidence: Evidence, live: Comparison | Incomparable | None) -> str:
    """Return what a release needs to be "better", "" if it is, or if the reason says it already."""
    if outcome == "better" or evidence.queries < MIN_QUERIES or evidence.users < MIN_USERS:
        return ""
    if evidence.candidate < evidence.baseline:
        missing = evidence.baseline - evidence.candidate
        return f"an NDCG@10 of at least {evidence.baseline:.4f}, {missing:.4f} more"
    if isinstance(live, Incomparable):
        return f"{MIN_QUERIES} test queries that are new to the live version, under the same contract"
    needed = _needed_difference(evidence, live)
    if live is None or live.queries is not None:
        return needed
    return f"{needed}; or {MIN_QUERIES} test queries newer than the data of version {live.version}, for both"


def _needed_difference(evidence: Evidence, live: Comparison | None) -> str:
    difference = evidence.difference if live is None else live.difference
    if difference is None:
        return f"test queries of {MIN_USERS} users in the comparison"
    mean, margin = sum(difference) / 2, (difference[1] - difference[0]) / 2
    needed = f"a difference above {margin:+.4f}, and has {mean:+.4f}"
    queries = evidence.queries if live is None else live.queries
    if queries is None or mean <= 0:
        return needed
    # The margin falls with the square root of the number of queries.
    return (
        f"{needed}; or about {math.ceil(queries * (margin / mean) ** 2):,} test queries with that difference"
    )


def _sign(difference: Interval | None) -> Outcome:
    if difference is None:
        return "undecided"
    low, high = difference
    return "better" if low > 0 else "worse" if high < 0 else "undecided"


def _interval(difference: Interval | None) -> str:
    if difference is None:
        return "; there is no interval of the difference"
    low, high = difference
    return f"; 95 % interval of the difference {low:+.4f} to {high:+.4f}"
