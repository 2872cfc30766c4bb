"""A request that is not to be personalized is answered without reading anything of its user."""

from collections.abc import Iterator

import grpc
import pytest

from feature_repo.histories import History
from serving.protos import recommender_pb2 as pb
from serving.protos.recommender_pb2_grpc import RecommenderServiceStub
from tests.patience import HANG_S, wait_until
from tests.serving.service import FakeSnapshot, RunningService, running
from tests.serving.test_recommender import past

USERS = 200


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service whose users have histories, attributes and recorded interactions of their own."""
    with running(tmp_path_factory.mktemp("service"), log_requests=True) as service:
        for user in range(0, USERS, 5):
            category = ("comedy", "horror")[user % 2]
            history = History().extend(past(category, user % 20, user=f"u{user}"))
            profile: dict[str, str | float] = {"gender": "F" if user % 4 else "M", "age": 20.0 + user % 50}
            service.features.snapshots[f"u{user}"] = FakeSnapshot(history, profile=profile)
        for user in range(0, USERS, 20):
            service.client.record(f"u{user}", f"horror-{user % 20}", event_type="dislike")
        yield service


def request(user_id: str, personalized: bool | None) -> pb.RecommendRequest:
    return pb.RecommendRequest(
        user_id=user_id,
        request_id="the-same",
        history=[pb.Interaction(item_id=f"comedy-{len(user_id)}")],
        followed_user_ids=[f"{user_id}0", "u20"],
        personalized=personalized,
        explain=True,
    )


def answers(service: RunningService, personalized: bool | None) -> set[bytes]:
    with grpc.insecure_channel(service.address) as channel:
        recommend = RecommenderServiceStub(channel).Recommend  # type: ignore[no-untyped-call]
        return {
            recommend(request(user_id, personalized), timeout=HANG_S).SerializeToString(deterministic=True)
            for user_id in ("", *(f"u{user}" for user in range(USERS)))
        }


def test_all_users_get_the_same_bytes(service: RunningService) -> None:
    assert len(answers(service, personalized=False)) == 1
    assert len(answers(service, personalized=None)) > 10


def test_nothing_of_the_user_is_read(service: RunningService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.features, "broken", True)
    monkeypatch.setattr(service.log, "broken", True)
    answer = service.client.recommend("u0", history=["comedy-1"], personalized=False)
    assert (answer.basis, answer.degraded) == ("trending", [])
    assert service.client.recommend("u0").degraded


def test_the_record_of_what_was_shown_names_no_user(service: RunningService) -> None:
    answer = service.client.recommend(
        "u5", history=["comedy-1"], followed_user_ids=["u20"], personalized=False
    )
    wait_until(lambda: bool(service.exposures.of_request(answer.request_id)))
    (exposure,) = service.exposures.of_request(answer.request_id)
    assert (exposure.user_id, exposure.snapshot, exposure.delta) == ("", 0, b"")
    kept = pb.RecommendRequest.FromString(exposure.request)
    assert kept == pb.RecommendRequest(k=10, personalized=False)
