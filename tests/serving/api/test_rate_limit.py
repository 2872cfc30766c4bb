"""The rate limit of one client address."""

import pytest

from serving.api.rate_limit import RateLimit
from serving.errors import TooManyRequests


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("serving.api.token_buckets.monotonic", lambda: now[0])
    return now


def test_a_client_may_send_the_requests_of_one_second_at_once(
    clock: list[float],
) -> None:
    limit = RateLimit(2)
    limit.take("ipv4:10.0.0.1:1")
    limit.take("ipv4:10.0.0.1:2")  # another connection of the same address
    with pytest.raises(TooManyRequests, match="at most 2 requests per second"):
        limit.take("ipv4:10.0.0.1:1")
    clock[0] += 0.5
    limit.take("ipv4:10.0.0.1:1")
    with pytest.raises(TooManyRequests):
        limit.take("ipv4:10.0.0.1:1")


def test_each_client_address_has_a_limit_of_its_own(clock: list[float]) -> None:
    limit = RateLimit(1)
    limit.take("ipv4:10.0.0.1:1")
    limit.take("ipv4:10.0.0.2:1")
    with pytest.raises(TooManyRequests):
        limit.take("ipv4:10.0.0.1:1")


def test_zero_disables_the_limit(clock: list[float]) -> None:
    limit = RateLimit(0)
    for _ in range(1000):
        limit.take("ipv4:10.0.0.1:1")


def test_the_number_of_stored_addresses_is_limited(clock: list[float]) -> None:
    limit = RateLimit(1)
    for number in range(20_000):
        limit.take(f"ipv4:{number}:1")
    assert len(limit._buckets._buckets) == 10_000
