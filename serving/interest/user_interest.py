"""A user's current interest: the snapshot's, advanced by new interactions, or replayed from the history."""

from collections.abc import Container, Sequence
from typing import Protocol

from feature_repo.attributes import Attributes
from feature_repo.histories import History
from feature_repo.interest_state import InterestBatch, InterestState
from serving.lru_cache import VersionedCache
from serving.release.arrays import FloatArray
from serving.telemetry.metrics import Metrics
from serving.user_history import UserHistory


class InterestModelClient(Protocol):
    """Interests [batch, interest size]; implemented by model_server_client.AsyncInterestClient."""

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
    async def forecast(
        self,
        history: History,
        user: Attributes,
        version: int | None,
        timeout_s: float,
        state: InterestState | None,
        /,
    ) -> FloatArray:
        """Return [FORECAST_STEPS, interest size] interests; with a `state`, `history` is what came after."""
        ...

    async def close(self) -> None: ...


class UserInterest:
    """Interests [interest size] float32 of users after their histories, under one release.

    Without new interactions, the interest is read from the snapshot, without a call to the model. With new
    ones, the model advances the snapshot's state by these alone. Unlike a replay, that state includes
    interactions that have left the history's window since.

    The model's answers are cached by user id and release version, for one user version. They have a cache of
    their own, because they are much smaller than the scores that LoadedRelease caches (0.3 KB instead of 60
    to 200 KB) and more expensive (a call to another process), so that this cache holds many more users.
    """

    def __init__(self, model: InterestModelClient, metrics: Metrics, cache_size: int = 20_000) -> None:
        """`cache_size`: number of users, times the releases that answer them."""
        self._model, self._metrics = model, metrics
        self._cache = VersionedCache[tuple[str, int], FloatArray](cache_size)

    def cached(self, user: UserHistory, release_version: int) -> FloatArray | None:
        """Return the interest of the snapshot or of an earlier call; None if the model must compute it."""
        if (state := _snapshot_state(user, release_version)) and not user.new:
            self._metrics.interests["snapshot"].inc()
            return state.interest
        if user.version is None:
            return None
        interest = self._cache.get((user.user_id, release_version), user.version)
        if interest is not None:
            self._metrics.interests["cache"].inc()
        return interest

    async def compute(self, user: UserHistory, release_version: int, timeout_s: float) -> FloatArray:
        """Return the interest that the model computes, and cache it.

        Raises:
            Unavailable: the model did not answer in `timeout_s`.
        """
        state = _valid_state(user, release_version)
        if state and user.new:
            interest = await self._advance(state, History().extend(user.new), timeout_s)
        else:
            interest = await self._replay(user, release_version, timeout_s)
        if user.version is not None:
            self._cache.put((user.user_id, release_version), user.version, interest)
        return interest

    def forget(self, users: Container[str]) -> None:
        """Drop the cached interests of these users."""
        self._cache.discard(lambda key: key[0] in users)

    async def forecast(self, user: UserHistory, release_version: int, timeout_s: float) -> FloatArray:
        """Return the interests at the next steps [FORECAST_STEPS, interest size]; errors as in `compute`."""
        state = _valid_state(user, release_version)
        history = History().extend(user.new) if state else user.history
        self._metrics.interests["forecast"].inc()
        return await self._model.forecast(
            history, Attributes.of(user.profile), release_version, timeout_s, state
        )

    async def _advance(self, state: InterestState, new: History, timeout_s: float) -> FloatArray:
        self._metrics.interests["advance"].inc()
        batch = InterestBatch.of(state)
        interest: FloatArray = (await self._model.advance(batch, [new], state.release, timeout_s))[0]
        return interest

    async def _replay(self, user: UserHistory, release_version: int, timeout_s: float) -> FloatArray:
        self._metrics.interests["replay"].inc()
        attributes = [Attributes.of(user.profile)]
        interests = await self._model.interest([user.history], release_version, timeout_s, attributes)
        interest: FloatArray = interests[0]
        return interest


def _snapshot_state(user: UserHistory, release_version: int) -> InterestState | None:
    """Return the state after the snapshot's history; None if another release computed it."""
    state = user.interest_state
    return state if state and state.release == release_version else None


def _valid_state(user: UserHistory, release_version: int) -> InterestState | None:
    """Return the snapshot's state if the new interactions continue it; else None.

    An interaction older than the state belongs between steps that the state includes already. Of a busy
    user, those between the state and the history are not read.
    """
    state = _snapshot_state(user, release_version)
    if state is None or user.is_busy or (user.new and user.new[0].timestamp <= state.as_of):
        return None
    return state
