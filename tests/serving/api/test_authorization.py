"""Bearer tokens: what each scope allows, and which calls need none."""

from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from serving.api.authorization import Authorizer
from serving.client import Recommender
from serving.errors import Forbidden, Unauthenticated, Unavailable
from tests.patience import HANG_S
from tests.serving.service import running

RECOMMEND = "/penchant.v1.RecommenderService/Recommend"
ERASE = "/penchant.v1.RecommenderService/EraseUser"
PREFERENCES = "/penchant.v1.RecommenderService/SetPreferences"
RECORD = "/penchant.v1.RecommenderService/RecordInteractions"
REFLECT = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
HEALTH = "/grpc.health.v1.Health/Check"

SCOPES = {
    "recommend": ["r" * 20],
    "record": ["w" * 20, "v" * 20],
    "preferences": ["p" * 20],
    "erase": ["e" * 20],
    "admin": ["a" * 20],
}


@pytest.mark.parametrize(
    ("token", "allowed"),
    [
        ("r", {RECOMMEND}),
        ("w", {RECORD}),
        ("v", {RECORD}),
        ("p", {PREFERENCES}),
        ("e", {ERASE}),
        ("a", {RECOMMEND, RECORD, PREFERENCES, ERASE, REFLECT}),
    ],
)
def test_a_token_allows_the_methods_of_its_scope_only(token: str, allowed: set[str]) -> None:
    authorizer = Authorizer(SCOPES)  # type: ignore[arg-type]
    metadata = {"authorization": f"Bearer {token * 20}"}
    for method in (RECOMMEND, RECORD, PREFERENCES, ERASE, REFLECT):
        if method in allowed:
            authorizer.check(method, metadata)
        else:
            with pytest.raises(Forbidden, match=f"{method} needs a token with scope"):
                authorizer.check(method, metadata)


@pytest.mark.parametrize("metadata", [{}, {"authorization": "Bearer x"}, {"authorization": b"\xff"}])
def test_only_the_health_check_needs_no_token(metadata: dict[str, str | bytes]) -> None:
    authorizer = Authorizer(SCOPES)  # type: ignore[arg-type]
    authorizer.check(HEALTH, metadata)
    for method in (RECOMMEND, RECORD, REFLECT):
        with pytest.raises(Unauthenticated, match="authorization: Bearer TOKEN"):
            authorizer.check(method, metadata)


@pytest.mark.parametrize("method", [RECOMMEND, RECORD, REFLECT])
def test_without_configured_tokens_every_call_has_all_scopes(method: str) -> None:
    assert Authorizer({}).check(method, {}) == SCOPES.keys()


def test_the_server_checks_the_tokens_of_all_its_services(tmp_path: Path) -> None:
    with running(tmp_path, live=None, tokens=SCOPES) as service:
        with pytest.raises(Unauthenticated):
            service.client.record("u", "comedy-1")
        with Recommender(service.address, HANG_S, token="w" * 20) as writer:
            writer.record("u", "comedy-1")
            with pytest.raises(Forbidden, match="scope 'recommend'"):
                writer.interests("u")
        with grpc.insecure_channel(service.address) as channel:
            health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=HANG_S)
            with pytest.raises(grpc.RpcError):
                ProtoReflectionDescriptorDatabase(channel).get_services()


def test_an_unknown_method_needs_a_token_too(tmp_path: Path) -> None:
    with (
        running(tmp_path, live=None, tokens=SCOPES) as service,
        grpc.insecure_channel(service.address) as channel,
    ):
        unknown: Any = channel.unary_unary("/penchant.v1.RecommenderService/Unknown")
        for token, code in (("x", "UNAUTHENTICATED"), ("r", "PERMISSION_DENIED"), ("a", "UNIMPLEMENTED")):
            with pytest.raises(grpc.RpcError) as raised:
                unknown(b"", HANG_S, (("authorization", f"Bearer {token * 20}"),))
            assert raised.value.code().name == code


def test_a_scenario_that_records_impressions_needs_the_scope_record_too(tmp_path: Path) -> None:
    tokens = {"recommend": ["r" * 20, "b" * 20], "record": ["b" * 20]}
    with running(tmp_path, live=None, tokens=tokens) as service:
        with (
            Recommender(service.address, HANG_S, token="r" * 20) as reader,
            pytest.raises(Forbidden, match=r"'email', which records impressions, .* scope 'record'"),
        ):
            reader.recommend("u", scenario="email")
        with (
            Recommender(service.address, HANG_S, token="b" * 20) as both,
            pytest.raises(Unavailable, match="no release is live"),
        ):
            both.recommend("u", scenario="email")
