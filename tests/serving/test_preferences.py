"""A user who set that answers are not personalized gets what a request without personalization gets."""

import asyncio
from collections.abc import Container, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event
from typing import Final

import grpc
import pytest

from serving.answers import Answer
from serving.errors import ErasedUser, InvalidRequest, PenchantError, Unavailable
from serving.protos import recommender_pb2 as pb
from serving.protos.recommender_pb2_grpc import RecommenderServiceStub
from serving.telemetry.metrics import Metrics
from serving.user_data.preference_store import PreferenceStore
from serving.user_data.user_preferences import UserPreferences
from tests.patience import HANG_S, wait_until
from tests.serving.service import RunningService, running
from tests.serving.test_recommender import past

USER: Final = "u"


@pytest.fixture
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningService, RunningService]]:
    """Two services with one interaction log, in which a user has a history."""
    root = tmp_path_factory.mktemp("home")
    with running(root) as one, running(root, versions=(), live=None) as two:
        wait_until(lambda: bool(two.client.recommend("nobody").recommendations))
        one.client.record_all(past("comedy", 1, 2, 3, user=USER))
        yield one, two


def answer(service: RunningService, personalized: bool | None = None) -> bytes:
    request = pb.RecommendRequest(
        user_id=USER,
        request_id="the-same",
        followed_user_ids=["v"],
        personalized=personalized,
        explain=True,
    )
    with grpc.insecure_channel(service.address) as channel:
        stub = RecommenderServiceStub(channel)  # type: ignore[no-untyped-call]
        response: pb.RecommendResponse = stub.Recommend(request, timeout=HANG_S)
    return response.SerializeToString(deterministic=True)


def test_the_setting_is_followed_by_every_replica_until_it_is_changed(
    replicas: tuple[RunningService, RunningService],
) -> None:
    one, two = replicas
    personal, plain = answer(one), answer(one, personalized=False)
    assert personal != plain
    one.client.set_personalized(USER, False)
    assert answer(one) == plain  # this worker at once
    wait_until(lambda: answer(two) == plain)
    assert one.client.interests(USER).interests == []
    assert two.client.forecast(USER).points == []
    shown = one.client.recommend(USER)
    wait_until(lambda: bool(one.exposures.of_request(shown.request_id)))
    assert one.exposures.of_request(shown.request_id)[0].user_id == ""
    assert one.client.record(USER, "comedy-4")  # recorded as before
    two.client.set_personalized(USER, True)
    wait_until(lambda: one.client.recommend(USER).basis == "history")


def test_nothing_of_a_user_who_opted_out_is_used_for_the_answers_to_followers(
    replicas: tuple[RunningService, RunningService],
) -> None:
    one, two = replicas
    one.client.record_all([*past("horror", 1, user="opted-out"), *past("horror", 2, user="friend")])

    def shown(service: RunningService, user: str = "") -> set[str]:
        followed = ["opted-out", "friend"]
        answer = service.client.recommend(user, followed_user_ids=followed, scenario="social")
        return {item.item_id for item in answer.recommendations if "followed" in item.sources}

    wait_until(lambda: shown(one, USER) == {"horror-1", "horror-2"})
    one.client.set_personalized("opted-out", False)
    assert shown(one, USER) == shown(one) == {"horror-2"}
    wait_until(lambda: shown(two, USER) == {"horror-2"})
    answer = one.client.recommend(
        USER, request_id="kept", followed_user_ids=["opted-out", "friend"], scenario="social"
    )
    wait_until(lambda: bool(one.exposures.of_request(answer.request_id)))
    (kept,) = one.exposures.of_request("kept")
    assert pb.RecommendRequest.FromString(kept.request).followed_user_ids == ["friend"]


def test_a_setting_without_a_value_is_refused(replicas: tuple[RunningService, RunningService]) -> None:
    with grpc.insecure_channel(replicas[0].address) as channel:
        stub = RecommenderServiceStub(channel)  # type: ignore[no-untyped-call]
        with pytest.raises(grpc.RpcError) as error:
            stub.SetPreferences(pb.SetPreferencesRequest(user_id=USER), timeout=HANG_S)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(InvalidRequest):
        replicas[0].client.set_personalized("", False)


def test_the_setting_goes_with_the_user(replicas: tuple[RunningService, RunningService]) -> None:
    one, two = replicas
    store = PreferenceStore(f"sqlite:///{one.root}/interaction_log.db")
    one.client.set_personalized(USER, False)
    assert store.of_user(USER)
    two.client.erase(USER)
    assert store.of_user(USER) is None
    with pytest.raises(PenchantError, match="the user was erased"):
        two.client.set_personalized(USER, False)
    with pytest.raises(ErasedUser):
        store.set_personalized(USER, False)
    store.close()


def test_answers_say_that_nobody_is_personalized_until_the_preferences_were_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_down, counted, last_change = Event(), list[str](), PreferenceStore.last_change

    def read(store: PreferenceStore) -> int:
        if is_down.is_set():
            raise Unavailable("the database is down")
        return last_change(store)

    def count(_: Metrics, answer: Answer, __: str = "") -> None:
        counted.extend(each.stage for each in answer.degraded)

    monkeypatch.setattr(PreferenceStore, "last_change", read)
    monkeypatch.setattr(Metrics, "count_answer", count)
    is_down.set()
    with running(tmp_path) as service:
        counted.clear()
        recommend = service.client.recommend
        of_user = (recommend(USER), service.client.interests(USER), service.client.forecast(USER))
        for answer in of_user:
            degraded = [(each.stage, each.fallback) for each in answer.degraded]
            assert degraded == [("preferences", "not_personalized")]
        assert counted == ["preferences"]
        assert recommend("").degraded == recommend(USER, personalized=False).degraded == []
        (of_followed,) = recommend("", followed_user_ids=[USER]).degraded
        assert of_followed.stage == "preferences"
        is_down.clear()
        wait_until(lambda: recommend(USER).degraded == [])


def test_changes_appear_in_order_and_only_the_last_counts(database_url: str) -> None:
    store, follower = PreferenceStore(database_url), UserPreferences(PreferenceStore(database_url))
    assert not follower.is_personalized("ann")  # nobody's are before the preferences were read
    follower.refresh()
    assert follower.is_personalized("ann")
    for user, personalized in (("ann", False), ("bob", False), ("ann", True), ("ann", False), ("bob", True)):
        store.set_personalized(user, personalized)
    assert [(user, personalized) for user, personalized, _ in store.since(0)] == [
        ("ann", False),
        ("bob", True),
    ]
    assert store.last_change() == 5
    follower.refresh()
    assert (follower.is_personalized("ann"), follower.is_personalized("bob")) == (False, True)
    assert store.erase("ann") == 1
    assert store.erase("ann") == 0
    store.close()


def test_the_first_settings_may_come_at_the_same_time(database_url: str) -> None:
    stores = [PreferenceStore(database_url) for _ in range(6)]
    for store in stores:
        store.last_change()  # the tables exist before the first setting
    together = Barrier(len(stores))

    def set_one(number: int) -> None:
        together.wait(HANG_S)
        stores[number].set_personalized(f"user-{number}", False)

    with ThreadPoolExecutor(len(stores)) as threads:
        list(threads.map(set_one, range(len(stores))))
    assert [number for *_, number in stores[0].since(0)] == [1, 2, 3, 4, 5, 6]
    for store in stores:
        store.close()


class ReplacedStore:
    """A store whose database is gone, then replaced by another one."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, bool, int]] | None = [("ann", False, 1), ("bob", False, 2)]
        self.breaks_after_count = False

    def last_change(self) -> int:
        if self.rows is None:
            raise Unavailable("the database is gone")
        return self.rows[-1][2]

    def since(self, change: int) -> list[tuple[str, bool, int]]:
        if self.breaks_after_count:
            raise Unavailable("the database is gone")
        return [row for row in self.rows or [] if row[2] > change]

    def set_personalized(self, user_id: str, personalized: bool) -> None:
        self.rows = [*(self.rows or []), (user_id, personalized, self.last_change() + 1)]

    def close(self) -> None: ...


def test_what_was_read_holds_while_the_database_is_gone_and_another_one_is_read_anew() -> None:
    store = ReplacedStore()
    follower = UserPreferences(store)
    follower.refresh()
    for rows, expected in ((None, [False, False, True]), ([("cat", False, 1)], [True, True, False])):
        store.rows = rows
        follower.refresh()
        assert [follower.is_personalized(user) for user in ("ann", "bob", "cat")] == expected


def test_a_read_that_fails_half_way_personalizes_nobody_who_opted_out() -> None:
    store = ReplacedStore()
    follower = UserPreferences(store)
    follower.refresh()
    store.rows, store.breaks_after_count = [("ann", False, 1)], True
    follower.refresh()
    assert [follower.is_personalized(user) for user in ("ann", "bob")] == [False, False]
    store.breaks_after_count = False
    follower.refresh()
    assert [follower.is_personalized(user) for user in ("ann", "bob")] == [False, True]


def test_what_is_cached_of_those_who_opt_out_is_dropped() -> None:
    store, forgotten = ReplacedStore(), list[Container[str]]()
    follower = UserPreferences(store)
    follower.on_opt_out(forgotten.append)
    follower.refresh()
    asyncio.run(follower.set_personalized("ann", True))
    asyncio.run(follower.set_personalized("cat", False))
    assert forgotten == [{"ann", "bob"}, {"cat"}]


def test_a_setting_that_this_worker_could_not_read_back_is_no_success() -> None:
    store = ReplacedStore()
    follower = UserPreferences(store)
    follower.refresh()
    store.breaks_after_count = True
    with pytest.raises(Unavailable):
        asyncio.run(follower.set_personalized("cat", False))
    store.breaks_after_count = False
    asyncio.run(follower.set_personalized("cat", False))
    assert not follower.is_personalized("cat")
