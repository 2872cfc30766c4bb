"""A user's interest now: as the snapshot keeps it, advanced by what is new, or replayed from the history."""

import hashlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from feature_repo.attributes import Attributes
from feature_repo.histories import History
from feature_repo.interest_state import InterestBatch, InterestState
from serving.lru_cache import LruCache
from serving.release.arrays import FloatArray
from serving.telemetry.metrics import Metrics
from serving.user_history import UserHistory


class InterestModelClient(Protocol):
    """Interests [batch, interest size]; serving.interest.client.AsyncInterestClient is one."""

    async def interest(
        self,
        histories: Sequence[History],
        version: int | None,
        timeout_s: float,
        users: Sequence[Attributes],
        /,
    ) -> FloatArray: ...
    async def advance(
        self,
        interests: InterestBatch,
        histories: Sequence[History],
        version: int | None,
        timeout_s: float,
        /,
    ) -> FloatArray: ...
    async def close(self) -> None: ...


class UserInterest:
    """[interest size] float32 after a history: the user's, with what the request carried.

    The model is asked for no more than it must be, and never twice for the same: nothing new needs no call,
    what is new needs its own steps. A state remembers what has left the history since; a replay does not.
    """

    def __init__(self, models: InterestModelClient, metrics: Metrics, remembered: int = 20_000) -> None:
        """`remembered`: of how many users the last answer of the model is kept."""
        self._models, self._metrics = models, metrics
        self._answers = LruCache[Key, FloatArray](remembered)

    def cached(self, user: UserHistory, history: History, version: int) -> FloatArray | None:
        """As the snapshot or an earlier answer of the model holds it; None where the model must be asked."""
        if history is not user.history:
            return None
        if (kept := _kept(user, version)) and not user.new:
            self._metrics.interests["snapshot"].inc()
            return kept.interest
        answer = self._answers.get(_key(user, version))
        if answer is not None:
            self._metrics.interests["cache"].inc()
        return answer

    async def compute(
        self, user: UserHistory, history: History, version: int, timeout_s: float
    ) -> FloatArray:
        """What the model says.

        Raises:
            Unavailable: it gave no answer in `timeout_s`.
        """
        if history is not user.history:
            return await self._replay(user, history, version, timeout_s)
        # What comes late belongs between the steps already made.
        if (kept := _kept(user, version)) and user.new and user.new[0].timestamp > kept.as_of:
            answer = await self._advance(kept, History().extend(user.new), version, timeout_s)
        else:
            answer = await self._replay(user, history, version, timeout_s)
        self._answers.put(_key(user, version), answer)
        return answer

    async def _advance(self, kept: InterestState, new: History, version: int, timeout_s: float) -> FloatArray:
        self._metrics.interests["advance"].inc()
        interest: FloatArray = (await self._models.advance(_batch(kept), [new], version, timeout_s))[0]
        return interest

    async def _replay(
        self, user: UserHistory, history: History, version: int, timeout_s: float
    ) -> FloatArray:
        self._metrics.interests["replay"].inc()
        known = [Attributes.of(user.profile)]
        interest: FloatArray = (await self._models.interest([history], version, timeout_s, known))[0]
        return interest


def _kept(user: UserHistory, version: int) -> InterestState | None:
    """After the snapshot's history, as this release worked it out."""
    state = user.interest_state
    return state if state and state.release == version else None


# An interaction belongs to one user, so the last one, the snapshot and what is new beside it name a history.
Key = tuple[int, int, str, bytes]


def _key(user: UserHistory, version: int) -> Key:
    new = "\0".join(interaction.interaction_id for interaction in user.new)
    digest = hashlib.blake2b(new.encode(), digest_size=16).digest()
    return version, user.as_of, user.history.interaction_ids[-1], digest


def _batch(kept: InterestState) -> InterestBatch:
    return InterestBatch(kept.interest[np.newaxis], kept.state[np.newaxis], np.array([kept.as_of]))
