"""The limit on wrong tokens: whom it refuses, and whom it never refuses."""

import pytest

from serving.api.admission import Admission
from serving.api.authorization import Authorizer
from serving.api.guess_limit import GuessLimit
from serving.api.rate_limit import RateLimit
from serving.errors import TooManyRequests, Unauthenticated

RECOMMEND = "/penchant.v1.RecommenderService/Recommend"
HEALTH = "/grpc.health.v1.Health/Check"
TOKEN = "a-token-of-some-length"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("serving.api.token_buckets.monotonic", lambda: now[0])
    return now


@pytest.fixture
def admission() -> Admission:
    return Admission(RateLimit(0), Authorizer({"recommend": [TOKEN]}))


def call(admission: Admission, token: str, peer: str, method: str = RECOMMEND) -> None:
    admission.check(method, {"authorization": f"Bearer {token}"}, peer)


def guess(admission: Admission, peer: str, count: int) -> int:
    """Try `count` wrong tokens and return how many of them were checked."""
    checked = 0
    for number in range(count):
        try:
            call(admission, f"guess {number}", peer)
        except Unauthenticated:
            checked += 1
        except TooManyRequests:
            continue
    return checked


def test_a_connection_may_try_ten_wrong_tokens_and_then_one_a_second(
    clock: list[float], admission: Admission
) -> None:
    assert guess(admission, "ipv4:10.0.0.1:1", 1000) == 10
    clock[0] += 3
    assert guess(admission, "ipv4:10.0.0.1:1", 1000) == 3


def test_many_connections_of_an_address_share_a_limit(clock: list[float], admission: Admission) -> None:
    peers = [f"ipv4:10.0.0.1:{port}" for port in range(200)]
    assert sum(guess(admission, peer, 10) for peer in peers) == 100
    with pytest.raises(TooManyRequests, match="10 per second from one address"):
        call(admission, TOKEN, "ipv4:10.0.0.1:9999")
    call(admission, TOKEN, "ipv4:10.0.0.2:1")


def test_a_client_with_an_old_token_does_not_keep_its_neighbours_out(
    clock: list[float], admission: Admission
) -> None:
    assert guess(admission, "ipv4:10.0.0.1:1", 10_000) == 10
    call(admission, TOKEN, "ipv4:10.0.0.1:2")
    assert guess(admission, "ipv4:10.0.0.1:3", 1) == 1


def test_a_connection_with_a_valid_token_and_the_health_check_are_never_refused(
    clock: list[float], admission: Admission
) -> None:
    call(admission, TOKEN, "ipv4:10.0.0.1:1")
    assert guess(admission, "ipv4:10.0.0.1:1", 1000) == 1000
    call(admission, TOKEN, "ipv4:10.0.0.1:1")
    call(admission, "", "ipv4:10.0.0.1:2", HEALTH)


def test_the_number_of_stored_connections_is_limited() -> None:
    limit = GuessLimit()
    for port in range(20_000):
        limit.trust(f"ipv4:10.0.0.1:{port}")
    assert len(limit._trusted) == 10_000
