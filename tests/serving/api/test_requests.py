"""Every request is answered or refused with the name of the wrong field; internal errors stay private."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.errors import PenchantError
from serving.protos import recommender_pb2 as pb
from serving.server import SERVICE
from tests.patience import HANG_S, wait_until
from tests.serving.service import RunningService, running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running(tmp_path_factory.mktemp("service")) as service:
        yield service


TEXT = st.text(max_size=300)

TIMESTAMP = st.builds(
    lambda seconds, nanos: {"seconds": seconds, "nanos": nanos},
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**31), 2**31 - 1),
)

INTERACTION = st.builds(
    pb.Interaction,
    interaction_id=TEXT,
    user_id=st.sampled_from(["", "u"]) | TEXT,
    item_id=st.sampled_from(["comedy-1", "horror-2"]) | TEXT,
    event_type=TEXT,
    value=st.none() | st.floats(),
    timestamp=st.none() | TIMESTAMP,
    domain=TEXT,
)

IDS = st.lists(st.sampled_from(["comedy-1", "horror-2"]) | TEXT, max_size=5)

REQUEST = st.one_of(
    st.builds(
        pb.RecommendRequest,
        user_id=st.sampled_from(["", "u"]) | TEXT,
        k=st.integers(0, 60) | st.integers(0, 2**32 - 1),
        history=st.lists(INTERACTION, max_size=3),
        exclude_item_ids=IDS,
        allow_item_ids=IDS,
        domain=st.sampled_from(["", "films"]) | TEXT,
        categories=st.lists(st.sampled_from(["Comedy"]) | TEXT, max_size=3),
        include_seen=st.booleans(),
        explain=st.booleans(),
        request_id=TEXT,
        scenario=st.sampled_from(["", "content", "ads", "social", "email"]) | TEXT,
        exclude_categories=st.lists(st.sampled_from(["Horror"]) | TEXT, max_size=3),
        followed_user_ids=st.lists(st.sampled_from(["u"]) | TEXT, max_size=3),
        bids=st.dictionaries(st.sampled_from(["comedy-1"]) | TEXT, st.floats(), max_size=3),
    ),
    st.builds(pb.RecordInteractionsRequest, interactions=st.lists(INTERACTION, max_size=3)),
    st.builds(pb.GetInterestsRequest, user_id=TEXT, k=st.integers(0, 2**32 - 1)),
    st.builds(
        pb.ForecastInterestsRequest,
        user_id=TEXT,
        steps=st.integers(0, 6) | st.integers(0, 2**32 - 1),
        k=st.integers(0, 2**32 - 1),
    ),
)

METHODS = {
    pb.RecommendRequest: "Recommend",
    pb.RecordInteractionsRequest: "RecordInteractions",
    pb.GetInterestsRequest: "GetInterests",
    pb.ForecastInterestsRequest: "ForecastInterests",
}


def call(service: RunningService, method: str, body: bytes) -> tuple[grpc.StatusCode, str]:
    """Call a method with these bytes; return the status and its details."""
    with grpc.insecure_channel(service.address) as channel:
        try:
            invoke: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{SERVICE}/{method}")
            invoke(body, timeout=HANG_S)
        except grpc.RpcError as error:
            return error.code(), error.details() or ""
    return grpc.StatusCode.OK, ""


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (pb.RecommendRequest(user_id="u", k=1001), "k: "),
        (pb.RecommendRequest(user_id="x" * 257), "user_id: "),
        (pb.RecommendRequest(user_id="u", exclude_item_ids=[""]), "exclude_item_ids: "),
        (pb.RecommendRequest(user_id="u", request_id="a\nb"), "request_id: "),
        (pb.RecommendRequest(user_id="u", history=[pb.Interaction()]), "history[0].item_id: "),
    ],
)
def test_a_wrong_field_is_an_invalid_argument_that_names_it(
    service: RunningService, message: pb.RecommendRequest, field: str
) -> None:
    code, details = call(service, "Recommend", message.SerializeToString())
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert details.startswith(field)


def test_an_internal_error_is_logged_with_the_request_id_and_hidden_from_the_client(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(tmp_path) as service:

        def fail(*_: Any) -> None:
            raise RuntimeError("the secret cause")

        service.model.interest = fail  # type: ignore[assignment, method-assign]
        with pytest.raises(PenchantError, match="request id mine") as caught:
            service.client.recommend("u", history=["comedy-1"], request_id="mine")
        assert "secret" not in str(caught.value)
        assert "the secret cause" in caplog.text
        assert "'mine'" in caplog.text


def test_a_message_above_the_size_limit_is_refused(service: RunningService) -> None:
    code, _ = call(service, "Recommend", b"\x0a" + b"\xff" * (2 << 20))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(request=REQUEST)
def test_any_request_is_answered_or_refused_with_what_was_expected(
    service: RunningService, request: Any
) -> None:
    code, details = call(service, METHODS[type(request)], request.SerializeToString())
    if code is grpc.StatusCode.ALREADY_EXISTS:  # another interaction with the same id
        assert METHODS[type(request)] == "RecordInteractions"
        return
    assert code in (grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT), details
    assert code is grpc.StatusCode.OK or ": expected " in details


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=st.binary(max_size=200), method=st.sampled_from(sorted(METHODS.values())))
def test_any_bytes_are_answered_or_refused_with_what_was_expected(
    service: RunningService, body: bytes, method: str
) -> None:
    code, details = call(service, method, body)
    assert code in (grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT), details
    assert code is grpc.StatusCode.OK or ": expected " in details


def test_malformed_bytes_are_logged_as_a_call_without_a_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(tmp_path, live=None, log_requests=True) as service, caplog.at_level("INFO"):
        code, details = call(service, "Recommend", b"\xff")
        wait_until(lambda: "code='INVALID_ARGUMENT'" in caplog.text)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert details.startswith(
        "Recommend: expected its request message, got 1 bytes that can't be parsed as one"
    )
    assert "Traceback" not in caplog.text
