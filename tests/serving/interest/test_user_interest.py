"""What is asked of the model for an interest, and what is not. That it is right: tests/parity."""

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from feature_repo.attributes import Attributes
from feature_repo.histories import History
from feature_repo.interaction import Interaction
from feature_repo.interest_state import InterestBatch, InterestState
from serving.errors import Unavailable
from serving.interest.user_interest import UserInterest
from serving.telemetry.metrics import Metrics
from serving.user_history import UserHistory
from tests.serving.planted import interest_after

SNAPSHOT = History().extend(Interaction(f"old-{at}", "u", f"item-{at}", "view", at) for at in (10, 20, 30))
STATE = InterestState(7, 30, np.full(4, 0.5, np.float32), np.array([1, 2], np.float32))


class CountingModel:
    """Adds the timestamps up, and keeps what it was asked: the items, and whether from a state."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str]]] = []
        self.down = False

    async def interest(
        self, histories: Sequence[History], version: int | None, timeout_s: float, users: Sequence[Attributes]
    ) -> NDArray[np.float32]:
        return self._answer("replay", 0, histories[0], version)

    async def advance(
        self, interests: InterestBatch, histories: Sequence[History], version: int | None, timeout_s: float
    ) -> NDArray[np.float32]:
        return self._answer("advance", 60, histories[0], version)

    async def close(self) -> None: ...

    def _answer(self, way: str, start: int, history: History, version: int | None) -> NDArray[np.float32]:
        if self.down:
            raise Unavailable("down")
        self.asked.append((way, list(history.item_ids)))
        return np.array([[start + sum(history.timestamps), version]], np.float32)


def known(
    *new: tuple[str, int], state: InterestState | None = STATE, snapshot: History = SNAPSHOT
) -> UserHistory:
    fresh = [Interaction(f"{item}-{at}", "u", item, "view", at) for item, at in new]
    return UserHistory(snapshot.extend(fresh), as_of=40, interest_state=state, new=fresh)


@pytest.fixture
def model() -> CountingModel:
    return CountingModel()


def read(interests: UserInterest, user: UserHistory, version: int = 7) -> list[float]:
    return asyncio.run(interest_after(interests, user, user.history, version)).tolist()


def test_nothing_new_is_the_snapshots_interest(model: CountingModel) -> None:
    assert read(UserInterest(model, Metrics()), known()) == [1, 2]
    assert model.asked == []


def test_what_is_new_is_asked_once_and_then_remembered(model: CountingModel) -> None:
    interests = UserInterest(model, Metrics())
    for _ in range(3):
        assert read(interests, known(("a", 50), ("b", 60))) == [170, 7]
    assert model.asked == [("advance", ["a", "b"])]
    assert read(interests, known(("a", 50), ("b", 60), ("c", 70))) == [240, 7]
    assert len(model.asked) == 2


def test_another_release_snapshot_or_user_is_asked_anew(model: CountingModel) -> None:
    interests = UserInterest(model, Metrics())
    other = History().extend([Interaction("theirs", "v", "item-10", "view", 15)])
    users = [
        known(("a", 50)),
        known(("a", 50), state=None),
        known(("b", 50)),
        UserHistory(known(("a", 50)).history, as_of=45, new=known(("a", 50)).new),
        UserHistory(other, as_of=40),
    ]
    versions = (7, 8, 7, 7, 7)
    expected = [[110, 7], [110, 8], [110, 7], [110, 7], [15, 7]]
    for _ in range(2):
        found = [read(interests, user, version) for user, version in zip(users, versions, strict=True)]
        assert found == expected
    assert [way for way, _ in model.asked] == ["advance", "replay", "advance", "replay", "replay"]


def test_what_comes_late_is_replayed_whole(model: CountingModel) -> None:
    assert read(UserInterest(model, Metrics()), known(("late", 25), ("new", 50))) == [135, 7]
    assert model.asked == [("replay", ["item-10", "item-20", "late", "item-30", "new"])]


def test_what_a_request_carries_is_replayed_each_time(model: CountingModel) -> None:
    interests, user = UserInterest(model, Metrics()), known()
    carried = user.history.extend([Interaction("mine", "u", "m", "view", 50)])
    for _ in range(2):
        assert asyncio.run(interest_after(interests, user, carried, 7)).tolist() == [110, 7]
    assert [way for way, _ in model.asked] == ["replay", "replay"]


def test_only_so_many_answers_are_remembered_the_last_ones(model: CountingModel) -> None:
    interests = UserInterest(model, Metrics(), remembered=2)
    for item in ("a", "b", "a", "c", "a", "b"):
        read(interests, known((item, 50)))
    assert [items for _, items in model.asked] == [["a"], ["b"], ["c"], ["b"]]


def test_a_failure_is_not_remembered(model: CountingModel) -> None:
    interests, model.down = UserInterest(model, Metrics()), True
    with pytest.raises(Unavailable):
        read(interests, known(("a", 50)))
    model.down = False
    assert read(interests, known(("a", 50))) == [110, 7]
