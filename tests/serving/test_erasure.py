"""An erased user is unknown to every replica, and nothing is recorded of the user until allowed again."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from feature_repo.histories import History
from serving.errors import PenchantError
from serving.protos.recommender_pb2 import RecommendRequest
from serving.user_data.erasure_store import ErasureStore
from tests.occurrences import files_with
from tests.patience import wait_until
from tests.serving.service import FakeSnapshot, RunningService, running
from tests.serving.test_recommender import past

MARK: Final = "Marked-Person"


@pytest.fixture
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningService, RunningService]]:
    """Two services with one interaction log and one release store, which know the same snapshots."""
    root = tmp_path_factory.mktemp("home")
    with running(root) as one, running(root, versions=(), live=None) as two:
        two.features.snapshots = one.features.snapshots
        wait_until(lambda: bool(two.client.recommend("nobody").recommendations))
        yield one, two


def basis(service: RunningService, user_id: str) -> str:
    return str(service.client.recommend(user_id).basis)


def test_an_erased_user_is_unknown_everywhere(replicas: tuple[RunningService, RunningService]) -> None:
    one, two = replicas
    one.features.snapshots[MARK] = FakeSnapshot(History().extend(past("comedy", 1, 2)), as_of=1)
    answer = two.client.recommend(MARK)
    answer.click(answer.recommendations[0])
    one.client.record("friend", "horror-3")
    assert basis(one, MARK) == basis(two, MARK) == "history"

    one.client.erase(MARK)

    assert basis(one, MARK) == "trending"
    wait_until(lambda: basis(two, MARK) == "trending")
    assert one.log.since(MARK, 0) == []
    wait_until(
        lambda: bool(two.exposures.of_request(two.client.recommend(MARK, request_id="after").request_id))
    )
    assert {exposure.user_id for exposure in two.exposures.of_request("after")} == {""}
    assert two.exposures.of_request(answer.request_id) == []
    social: dict[str, Any] = {"followed_user_ids": [MARK, "friend"], "scenario": "social"}
    assert two.client.recommend("other", **social).degraded == []
    calls = (
        lambda: two.client.record(MARK, "comedy-1"),
        lambda: two.client.interests(MARK),
        lambda: two.client.forecast(MARK),
    )
    for call in calls:
        with pytest.raises(PenchantError, match=r"the user was erased.*penchant forget USER --allow"):
            call()
    assert basis(two, "friend") == "history"


def test_the_user_leaves_the_kept_requests_of_followers(
    replicas: tuple[RunningService, RunningService],
) -> None:
    one, _ = replicas
    one.client.recommend("other", request_id="follows", followed_user_ids=[MARK, "friend"], scenario="social")
    wait_until(lambda: bool(one.exposures.of_request("follows")))
    one.client.erase(MARK)
    (kept,) = one.exposures.of_request("follows")
    assert RecommendRequest.FromString(kept.request).followed_user_ids == ["friend"]


def test_no_byte_of_the_database_has_the_id(replicas: tuple[RunningService, RunningService]) -> None:
    one, two = replicas
    for number in range(5):
        two.client.record(MARK, f"comedy-{number}")
        one.client.recommend(MARK)
    assert files_with(one.root, MARK)
    two.client.erase(MARK)
    store = ErasureStore(f"sqlite:///{one.root}/interaction_log.db")
    store.scrub()
    assert files_with(one.root, MARK) == []
    store.close()


def test_a_user_who_comes_back_is_allowed_again(replicas: tuple[RunningService, RunningService]) -> None:
    one, two = replicas
    one.client.erase(MARK)
    store = ErasureStore(f"sqlite:///{one.root}/interaction_log.db")
    assert (store.allow(MARK), store.allow(MARK)) == (True, False)
    store.close()

    def is_recorded() -> bool:
        try:
            two.client.record(MARK, "comedy-1")
        except PenchantError:
            return False
        return True

    wait_until(is_recorded)
    assert basis(two, MARK) == "history"
