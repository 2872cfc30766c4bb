"""A user's interest now: as the snapshot keeps it, advanced by what is new, or replayed from the history."""

import hashlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from feature_repo.attributes import Attributes
from feature_repo.histories import History
from feature_repo.interest_state import InterestState
from feature_repo.recent import Recent
from serving.arrays import FloatArray
from serving.history import UserHistory
from serving.interest_client import Interests
from serving.metrics import Metrics


class InterestModel(Protocol):
    """serving.interest_client.AsyncInterestClient is one."""

    async def interest(
        self,
        histories: Sequence[History],
        version: int | None,
        timeout_s: float,
        users: Sequence[Attributes],
        /,
    ) -> Interests: ...
    async def advance(
        self,
        interests: Interests,
        histories: Sequence[History],
        version: int | None,
        timeout_s: float,
        /,
    ) -> Interests: ...
    async def close(self) -> None: ...


class UserInterest:
    """Asks the model for no more than it must, and never twice for the same.

    Nothing new needs no call, what is new needs its own steps. A state remembers what has left the history
    since; a replay does not.
    """

    def __init__(self, models: InterestModel, metrics: Metrics, remembered: int = 20_000) -> None:
        """`remembered`: of how many users the last answer of the model is kept."""
        self._models, self._metrics = models, metrics
        self._answers = Recent[Key, FloatArray](remembered)

    async def read(self, user: UserHistory, history: History, version: int, timeout_s: float) -> FloatArray:
        """[interest size] float32, the interest after `history`: the user's, with what the request carried.

        Raises:
            Unavailable: the model was needed and gave no answer in `timeout_s`.
        """
        kept = user.interest_state if user.interest_state and user.interest_state.release == version else None
        if history is not user.history:
            return await self._replay(user, history, version, timeout_s)
        if kept and not user.new:
            self._metrics.interests["kept"].inc()
            return kept.interest
        key = _key(user, version)
        if (answer := self._answers.get(key)) is not None:
            self._metrics.interests["remembered"].inc()
            return answer
        # What comes late belongs between the steps already made.
        if kept and user.new[0].timestamp > kept.as_of:
            answer = await self._advance(kept, History().extend(user.new), version, timeout_s)
        else:
            answer = await self._replay(user, history, version, timeout_s)
        self._answers.put(key, answer)
        return answer

    async def _advance(self, kept: InterestState, new: History, version: int, timeout_s: float) -> FloatArray:
        self._metrics.interests["advanced"].inc()
        answer = await self._models.advance(_batch(kept), [new], version, timeout_s)
        interest: FloatArray = answer.interest[0]
        return interest

    async def _replay(
        self, user: UserHistory, history: History, version: int, timeout_s: float
    ) -> FloatArray:
        self._metrics.interests["replayed"].inc()
        known = [Attributes.of(user.profile)]
        answer = await self._models.interest([history], version, timeout_s, known)
        interest: FloatArray = answer.interest[0]
        return interest


# An interaction belongs to one user, so the last one, the snapshot and what is new beside it name a history.
Key = tuple[int, int, str, bytes]


def _key(user: UserHistory, version: int) -> Key:
    new = "\0".join(interaction.interaction_id for interaction in user.new)
    digest = hashlib.blake2b(new.encode(), digest_size=16).digest()
    return version, user.as_of, user.history.interaction_ids[-1], digest


def _batch(kept: InterestState) -> Interests:
    return Interests(kept.interest[np.newaxis], kept.state[np.newaxis], np.array([kept.as_of]))
