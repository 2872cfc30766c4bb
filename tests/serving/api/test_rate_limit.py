import pytest

from serving.api.rate_limit import RateLimit
from serving.errors import TooMany


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("serving.api.rate_limit.monotonic", lambda: now[0])
    return now


def test_a_client_has_a_seconds_worth_at_once_and_then_the_rate(clock: list[float]) -> None:
    limit = RateLimit(2)
    limit.take("ipv4:10.0.0.1:1")
    limit.take("ipv4:10.0.0.1:2")  # another connection of the same address
    with pytest.raises(TooMany, match="more than 2 requests a second"):
        limit.take("ipv4:10.0.0.1:1")
    clock[0] += 0.5
    limit.take("ipv4:10.0.0.1:1")
    with pytest.raises(TooMany):
        limit.take("ipv4:10.0.0.1:1")


def test_one_client_does_not_use_up_anothers(clock: list[float]) -> None:
    limit = RateLimit(1)
    limit.take("ipv4:10.0.0.1:1")
    limit.take("ipv4:10.0.0.2:1")


def test_zero_is_no_limit(clock: list[float]) -> None:
    limit = RateLimit(0)
    for _ in range(1000):
        limit.take("ipv4:10.0.0.1:1")


def test_addresses_are_forgotten_so_that_memory_stays_flat(clock: list[float]) -> None:
    limit = RateLimit(1)
    for number in range(20_000):
        limit.take(f"ipv4:{number}:1")
    assert len(limit._buckets) == 10_000
