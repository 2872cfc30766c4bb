"""An exposure: what one answer showed, and how it came about."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# A longer request is not kept, and its answer can't be repeated.
MAX_REQUEST_BYTES: Final = 16_384


@dataclass(frozen=True, slots=True)
class Exposure:
    """One answer; its places are the positions of `item_ids`, best first."""

    request_id: str
    user_id: str  # "" for an anonymous visitor
    timestamp: int  # µs since the epoch, when the items were ranked
    release_version: int
    scenario: str  # "" for none
    basis: str  # of serving.answers.Basis
    degraded: str  # stages of serving.answers.Stage, joined by ","
    candidates: str  # digest of the candidates that the rules permitted; comparable within one release
    item_ids: Sequence[str]  # [k]
    scores: Sequence[float]  # [k] float32 values, comparable within one answer
    sources: Sequence[int]  # [k] bits of serving.ranking.candidate_set.SOURCES
    # [k] probability that the place shows this item, given the items at the places before it.
    propensities: Sequence[float]
    snapshot: int = 0  # as_of of the features that the history is based on, µs since the epoch; 0 for none
    delta: bytes = b""  # digest of the ids of the interactions recorded since; empty for none
    request: bytes = b""  # the serialized RecommendRequest; empty if it is longer than MAX_REQUEST_BYTES
    latency_us: int = 0  # from the start of the first stage until the items were ranked
    experiment: str = ""  # "" outside of one
    arm: str = ""  # of the experiment
    # [k] of an interleaved answer, as in serving.experiments.interleaving; else none.
    credits: Sequence[float] = ()
