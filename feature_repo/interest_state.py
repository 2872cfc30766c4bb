"""The interest state of a user: the interest model's output for a history, and the state to continue from."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class InterestState:
    """The state after the whole history of a snapshot; valid under `release` only."""

    release: int
    as_of: int  # timestamp of the last interaction in the state, µs since the epoch; 0 for none
    state: NDArray[np.float32]  # [state size]
    interest: NDArray[np.float32]  # [interest size]


@dataclass(frozen=True, slots=True)
class InterestBatch:
    """The interest model's output for a batch of users; `state` is the input of the next `advance` call."""

    interest: NDArray[np.float32]  # [batch, interest size]
    state: NDArray[np.float32]  # [batch, state size]
    as_of: NDArray[np.int64]  # [batch] timestamp of the last interaction in the state, µs since the epoch

    @classmethod
    def of(cls, state: InterestState) -> Self:
        """Return a batch of one user."""
        return cls(state.interest[np.newaxis], state.state[np.newaxis], np.array([state.as_of]))

    def __len__(self) -> int:
        return len(self.as_of)
