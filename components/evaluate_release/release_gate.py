"""The rule that says whether a candidate is better than what is live."""

from dataclasses import dataclass
from typing import Final, Literal

# The candidate was measured before it was refitted on everything; a small loss is noise, not a step back.
TOLERANCE: Final = 0.97

# Fewer test queries than these say too little about the live version.
ENOUGH: Final = 100


@dataclass(frozen=True)
class Comparison:
    """The live version's NDCG@10 and the candidate's, measured in the same way."""

    version: int
    live: float
    candidate: float
    measured: str  # where: "on the 312 test queries newer than …"


@dataclass(frozen=True)
class Incomparable:
    """Why no figure of the live version can be set beside the candidate's."""

    version: int
    why: str


@dataclass(frozen=True)
class GateDecision:
    verdict: Literal["better", "worse"]
    reason: str


def judge(candidate: float, popularity: float, live: Comparison | Incomparable | None) -> GateDecision:
    """Better: beats popularity on all test queries, and keeps at least TOLERANCE of the live version.

    Args:
        candidate, popularity: NDCG@10 on all test queries.
        live: None before the first release.
    """
    ahead = candidate > popularity
    against_popularity = (
        f"NDCG@10 {candidate:.4f} {'beats' if ahead else 'does not beat'} popularity ({popularity:.4f})"
    )
    if not ahead:
        return GateDecision("worse", against_popularity)
    if live is None:
        return GateDecision("better", f"{against_popularity}; nothing is live yet")
    if isinstance(live, Incomparable):
        return GateDecision(
            "worse",
            f"{against_popularity}, but can't be compared with the live version {live.version}: {live.why}; "
            "a reviewer decides (`penchant review approve`)",
        )
    keeps = live.candidate >= TOLERANCE * live.live
    return GateDecision(
        "better" if keeps else "worse",
        f"{against_popularity} and with {live.candidate:.4f} {'keeps' if keeps else 'falls below'} "
        f"{TOLERANCE:.0%} of the live version {live.version} ({live.live:.4f}, {live.measured})",
    )
