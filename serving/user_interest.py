"""A user's interest now: as the snapshot keeps it, advanced by what is new, or replayed from the history."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from feature_repo.histories import History
from feature_repo.interest_state import InterestState
from serving.history import UserHistory
from serving.interest_client import Interests
from serving.metrics import Metrics
from serving.release import FloatArray


class InterestModel(Protocol):
    """serving.interest_client.InterestClient is one."""

    def interest(
        self, histories: Sequence[History], version: int | None, timeout_s: float, /
    ) -> Interests: ...
    def advance(
        self,
        interests: Interests,
        histories: Sequence[History],
        version: int | None,
        timeout_s: float,
        /,
    ) -> Interests: ...
    def available_versions(self, timeout_s: float, /) -> list[int]: ...
    def close(self) -> None: ...


class UserInterest:
    """Asks the model for no more than it must: nothing new needs no call, what is new needs its own steps.

    A state remembers what has left the history since; a replay does not.
    """

    def __init__(self, models: InterestModel, metrics: Metrics) -> None:
        self._models, self._metrics = models, metrics

    def read(self, user: UserHistory, history: History, version: int, timeout_s: float) -> FloatArray:
        """[interest size] float32, the interest after `history`: the user's, with what the request carried.

        Raises:
            Unavailable: the model was needed and gave no answer in `timeout_s`.
        """
        kept = user.interest_state
        if kept is None or kept.release != version or history is not user.history:
            return self._replayed(history, version, timeout_s)
        if not user.new:
            self._metrics.interests["kept"].inc()
            return kept.interest
        # What comes late belongs between the steps already made.
        if user.new[0].timestamp <= kept.as_of:
            return self._replayed(history, version, timeout_s)
        self._metrics.interests["advanced"].inc()
        new = History().extend(user.new)
        return _only(self._models.advance(_batch(kept), [new], version, timeout_s))

    def _replayed(self, history: History, version: int, timeout_s: float) -> FloatArray:
        self._metrics.interests["replayed"].inc()
        return _only(self._models.interest([history], version, timeout_s))


def _batch(kept: InterestState) -> Interests:
    return Interests(kept.interest[np.newaxis], kept.state[np.newaxis], np.array([kept.as_of]))


def _only(interests: Interests) -> FloatArray:
    interest: FloatArray = interests.interest[0]
    return interest
