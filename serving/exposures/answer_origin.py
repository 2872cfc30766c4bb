"""How an answer came about: what its exposure records besides the answer itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from serving.ranking.candidate_set import SourceBits
from serving.release.arrays import FloatArray, Indexes
from serving.user_history import UserHistory


class Places(Protocol):
    """The places of an answer, best first; implemented by serving.ranking.ranked_items.RankedItems."""

    @property
    def sources(self) -> NDArray[SourceBits]: ...  # [k] source bits
    @property
    def scores(self) -> FloatArray: ...  # [k]
    @property
    def propensities(self) -> NDArray[np.float64] | None: ...  # [k]; None for 1


@dataclass(frozen=True, eq=False, slots=True)
class AnswerOrigin:
    """How an answer came about."""

    ranked: Places
    candidates: Indexes  # [m] the permitted candidates
    now: int  # µs since the epoch, when the items were ranked
    user: UserHistory  # without the request's own history
    scenario: str  # under which it was answered; "" for none
    latency_us: int
    experiment: str = ""
    arm: str = ""
    credits: Sequence[float] = ()  # as in Exposure
