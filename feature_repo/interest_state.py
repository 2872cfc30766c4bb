"""A user's interest as a feature: what a release made of a history, and what it goes on from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class InterestState:
    """After a snapshot's history, whole; it holds under the release that worked it out alone."""

    release: int
    as_of: int  # the last interaction inside the state, µs since the epoch; 0 when none is
    state: NDArray[np.float32]  # [state size]
    interest: NDArray[np.float32]  # [interest size]


@dataclass(frozen=True, slots=True)
class InterestBatch:
    """The interest model's output for a batch of users; `state` is the input of the next `advance` call."""

    interest: NDArray[np.float32]  # [batch, interest size]
    state: NDArray[np.float32]  # [batch, state size]
    as_of: NDArray[np.int64]  # [batch] µs since the epoch, of the last interaction inside the state

    def __len__(self) -> int:
        return len(self.as_of)
