"""The release gate: decides whether a candidate is better than the live version."""

from dataclasses import dataclass
from typing import Final, Literal

# The candidate was measured before its refit on all data, so a slightly lower metric is no regression.
TOLERANCE: Final = 0.97

# Fewer test queries than this are too few to compare with the live version.
MIN_QUERIES: Final = 100


@dataclass(frozen=True)
class Comparison:
    """NDCG@10 of the live version and of the candidate, measured in the same way."""

    version: int
    live: float
    candidate: float
    measured: str  # on what: "both on the 312 test queries newer than …"


@dataclass(frozen=True)
class Incomparable:
    """The reason why the live version's metrics can't be compared with the candidate's."""

    version: int
    reason: str


@dataclass(frozen=True)
class GateDecision:
    """The outcome, and a sentence that gives the reason."""

    outcome: Literal["better", "worse"]
    reason: str


def decide(candidate: float, popularity: float, live: Comparison | Incomparable | None) -> GateDecision:
    """Decide "better" when the candidate beats popularity and reaches TOLERANCE of the live version.

    Args:
        candidate, popularity: NDCG@10 on all test queries.
        live: None before the first release.
    """
    beats = candidate > popularity
    against_popularity = (
        f"NDCG@10 {candidate:.4f} {'beats' if beats else 'does not beat'} popularity ({popularity:.4f})"
    )
    if not beats:
        return GateDecision("worse", against_popularity)
    if live is None:
        return GateDecision("better", f"{against_popularity}; no version is live yet")
    if isinstance(live, Incomparable):
        return GateDecision(
            "worse",
            f"{against_popularity}, but can't be compared with the live version {live.version}: "
            f"{live.reason}; a reviewer decides (`penchant review approve`)",
        )
    reaches = live.candidate >= TOLERANCE * live.live
    return GateDecision(
        "better" if reaches else "worse",
        f"{against_popularity}, and {live.candidate:.4f} {'reaches' if reaches else 'is below'} "
        f"{TOLERANCE:.0%} of the live version {live.version} ({live.live:.4f}, {live.measured})",
    )
