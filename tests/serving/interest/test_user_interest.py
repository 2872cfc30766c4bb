"""Tests of the calls to the model; tests/parity compares their results with a replay."""

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from feature_repo.attributes import Attributes
from feature_repo.contract import FORECAST_STEPS
from feature_repo.histories import History
from feature_repo.interaction import Interaction
from feature_repo.interest_state import InterestBatch, InterestState
from serving.errors import Unavailable
from serving.interest.user_interest import UserInterest
from serving.telemetry.metrics import Metrics
from serving.user_history import UserHistory, UserVersion
from tests.serving.planted import interest_after

SNAPSHOT = History().extend(Interaction(f"old-{at}", "u", f"item-{at}", "view", at) for at in (10, 20, 30))
STATE = InterestState(7, 30, np.full(4, 0.5, np.float32), np.array([1, 2], np.float32))


class CountingModel:
    """Sums the timestamps; records the kind and the items of each call."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[str]]] = []
        self.down = False

    async def interest(
        self, histories: Sequence[History], version: int | None, timeout_s: float, users: Sequence[Attributes]
    ) -> NDArray[np.float32]:
        return self._answer("replay", 0, histories[0], version)

    async def advance(
        self, interests: InterestBatch, histories: Sequence[History], version: int | None, timeout_s: float
    ) -> NDArray[np.float32]:
        return self._answer("advance", 60, histories[0], version)

    async def forecast(
        self,
        history: History,
        user: Attributes,
        version: int | None,
        timeout_s: float,
        state: InterestState | None,
    ) -> NDArray[np.float32]:
        kind, start = ("replay", 0) if state is None else ("advance", 60)
        return np.repeat(self._answer(kind, start, history, version), FORECAST_STEPS, axis=0)

    async def close(self) -> None: ...

    def _answer(self, kind: str, start: int, history: History, version: int | None) -> NDArray[np.float32]:
        if self.down:
            raise Unavailable("down")
        self.calls.append((kind, list(history.item_ids)))
        return np.array([[start + sum(history.timestamps), version]], np.float32)


def user(
    *new: tuple[str, int], user_id: str = "u", snapshot: int = 1, state: InterestState | None = STATE
) -> UserHistory:
    """Return a user with new interactions (item, timestamp) after SNAPSHOT; `snapshot` is its version."""
    delta = [Interaction(f"{user_id}-{item}-{at}", user_id, item, "view", at) for item, at in new]
    version = UserVersion.of(snapshot, delta)
    history = SNAPSHOT.extend(delta)
    return UserHistory(history, as_of=40, interest_state=state, new=delta, user_id=user_id, version=version)


@pytest.fixture
def model() -> CountingModel:
    return CountingModel()


def read(interests: UserInterest, user: UserHistory, release_version: int = 7) -> list[float]:
    return asyncio.run(interest_after(interests, user, release_version)).tolist()


def test_the_interest_of_the_snapshot_is_returned_without_new_interactions(model: CountingModel) -> None:
    assert read(UserInterest(model, Metrics()), user()) == [1, 2]
    assert model.calls == []


def test_the_model_is_called_once_for_the_same_new_interactions(model: CountingModel) -> None:
    interests = UserInterest(model, Metrics())
    for _ in range(3):
        assert read(interests, user(("a", 50), ("b", 60))) == [170, 7]
    assert model.calls == [("advance", ["a", "b"])]
    assert read(interests, user(("a", 50), ("b", 60), ("c", 70))) == [240, 7]
    assert len(model.calls) == 2


@pytest.mark.parametrize(
    ("changed", "release", "expected"),
    [
        (user(("a", 50)), 8, ("replay", [110, 8])),
        (user(("b", 55)), 7, ("advance", [115, 7])),
        (user(("a", 50), snapshot=2), 7, ("advance", [110, 7])),
        (user(("a", 50), user_id="v"), 7, ("advance", [110, 7])),
    ],
)
def test_another_release_delta_snapshot_or_user_calls_the_model_again(
    changed: UserHistory, release: int, expected: tuple[str, list[float]], model: CountingModel
) -> None:
    interests = UserInterest(model, Metrics())
    read(interests, user(("a", 50)))
    for _ in range(2):
        assert read(interests, changed, release) == expected[1]
    assert [kind for kind, _ in model.calls] == ["advance", expected[0]]


def test_the_history_is_replayed_without_a_state(model: CountingModel) -> None:
    interests = UserInterest(model, Metrics())
    for _ in range(2):
        assert read(interests, user(("a", 50), state=None)) == [110, 7]
    assert [kind for kind, _ in model.calls] == ["replay"]


def test_the_history_is_replayed_after_a_late_interaction(model: CountingModel) -> None:
    assert read(UserInterest(model, Metrics()), user(("late", 25), ("new", 50))) == [135, 7]
    assert model.calls == [("replay", ["item-10", "item-20", "late", "item-30", "new"])]


def test_a_request_history_is_replayed_and_not_cached(model: CountingModel) -> None:
    interests = UserInterest(model, Metrics())
    with_request_history = user().with_request_history([Interaction("mine", "u", "m", "view", 50)])
    for _ in range(2):
        assert read(interests, with_request_history) == [110, 7]
    assert [kind for kind, _ in model.calls] == ["replay", "replay"]


def test_the_least_recently_used_interest_is_dropped(model: CountingModel) -> None:
    interests = UserInterest(model, Metrics(), cache_size=2)
    for user_id in ("a", "b", "a", "c", "a", "b"):
        read(interests, user((user_id, 50), user_id=user_id))
    assert [items for _, items in model.calls] == [["a"], ["b"], ["c"], ["b"]]


def test_a_failure_is_not_cached(model: CountingModel) -> None:
    interests, model.down = UserInterest(model, Metrics()), True
    with pytest.raises(Unavailable):
        read(interests, user(("a", 50)))
    model.down = False
    assert read(interests, user(("a", 50))) == [110, 7]
