"""The load generator: one client, many, or arrivals that wait for nobody. Runs in a process of its own."""

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle
from threading import Lock
from typing import Final

import grpc
import numpy as np

from serving.protos import recommender_pb2 as pb
from serving.protos.recommender_pb2_grpc import RecommenderServiceStub

_RECOMMEND: Final = "/penchant.v1.RecommenderService/Recommend"
_TIMEOUT_S: Final = 5.0

# From recording to the next request: nobody reads a page faster.
_READING_S: Final = 0.05

# Requests before the first that counts: connections, caches, branch predictors.
WARMING: Final = 100

# Threads of the open loop, and the connections that they share.
_ARRIVING: Final = 64
_CONNECTIONS: Final = 16


@dataclass(frozen=True)
class Target:
    """A server and what it is asked, in turn."""

    address: str
    requests: tuple[bytes, ...]

    @classmethod
    def of(cls, address: str, users: Sequence[str], k: int = 10) -> "Target":
        requests = (pb.RecommendRequest(user_id=user, k=k).SerializeToString() for user in users)
        return cls(address, tuple(requests))


@dataclass(frozen=True)
class Latencies:
    """Milliseconds from when a request was due until its answer was there."""

    count: int
    mean: float
    p50: float
    p95: float
    p99: float
    p999: float
    longest: float
    errors: int = 0
    degraded: int = 0

    @classmethod
    def of(cls, seconds: Sequence[float], errors: int = 0, degraded: int = 0) -> "Latencies":
        ms = 1000 * np.asarray(seconds)
        quantiles = (float(np.percentile(ms, share)) for share in (50, 95, 99, 99.9))
        return cls(len(ms), float(ms.mean()), *quantiles, float(ms.max()), errors, degraded)


def one_client(targets: dict[str, Target], rounds: int, calls: int) -> dict[str, Latencies]:
    """One request at a time; targets take turns, `calls` each, so that whatever else runs hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in targets}
    asks = {name: _asking(target) for name, target in targets.items()}
    for ask in asks.values():
        _timed(ask, WARMING)
    for _ in range(rounds):
        for name, ask in asks.items():
            seconds[name] += _timed(ask, calls)
    return {name: Latencies.of(measured) for name, measured in seconds.items()}


def plain(target: Target, calls: int) -> Latencies:
    """One client and nothing else: every request that the server sees is counted."""
    return Latencies.of(_timed(_asking(target), calls))


def many_clients(
    targets: dict[str, Target], clients: int, rounds: int, seconds: float
) -> dict[str, list[float]]:
    """Requests/s in each round, of `clients` that each send the next request when the last is answered.

    Targets take turns, so that a round's rates are of one speed of the machine. Counted over a time and not a
    number of calls: the kernel deals connections to workers unevenly, and nobody waits for the last one.
    """
    rates: dict[str, list[float]] = {name: [] for name in targets}
    with ThreadPoolExecutor(clients) as pool:
        asks = {
            name: [_asking(target, start) for start in range(clients)] for name, target in targets.items()
        }
        for _ in range(rounds):
            for name in targets:
                list(pool.map(lambda ask: _timed(ask, 10), asks[name]))
                until = time.perf_counter() + seconds
                answered = sum(pool.map(lambda ask, until=until: _count(ask, until), asks[name]))
                rates[name].append(answered / seconds)
    return rates


def open_loop(target: Target, rate: float, seconds: float) -> Latencies:
    """Poisson arrivals, fixed before the first: a slow answer holds nobody back, and is counted as late.

    Each of many threads takes the next arrival and waits for its moment; were all of them still waiting for
    answers, what they take next would be late too, and counted from when it was due.
    """
    generator = np.random.default_rng(11)
    due = np.cumsum(generator.exponential(1 / rate, max(1, int(rate * seconds)))).tolist()
    arrivals, lock, tally = iter(enumerate(due)), Lock(), _Tally()

    with ExitStack() as opened, _uncollected():
        channels = (opened.enter_context(_channel(target)) for _ in range(_CONNECTIONS))
        calls = [channel.unary_unary(_RECOMMEND) for channel in channels]
        pool = opened.enter_context(ThreadPoolExecutor(_ARRIVING))
        for number in range(WARMING):
            calls[number % _CONNECTIONS](target.requests[number % len(target.requests)], timeout=_TIMEOUT_S)
        start = time.perf_counter()

        def arrive(_: int) -> None:
            while True:
                with lock:
                    number, after = next(arrivals, (0, None))
                if after is None:
                    return
                time.sleep(max(0.0, start + after - time.perf_counter()))
                call = calls[number % _CONNECTIONS]
                tally.ask(call, target.requests[number % len(target.requests)], start + after)

        list(pool.map(arrive, range(_ARRIVING)))
    return Latencies.of(tally.seconds, tally.errors, tally.degraded)


@contextmanager
def _uncollected() -> Iterator[None]:
    """A collection of a million measured seconds would be counted as lateness of the server."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class _Tally:
    """Answers of the open loop; its lists and counts are only ever added to."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._failed: list[int] = []
        self._degraded: list[int] = []

    def ask(self, call: Callable[..., bytes], request: bytes, due: float) -> None:
        try:
            answer = call(request, timeout=_TIMEOUT_S)
        except grpc.RpcError:
            self._failed.append(1)
        else:
            self._degraded.append(bool(pb.RecommendResponse.FromString(answer).degraded))
        self.seconds.append(time.perf_counter() - due)

    @property
    def errors(self) -> int:
        return len(self._failed)

    @property
    def degraded(self) -> int:
        return sum(self._degraded)


def freshness(address: str, users: Sequence[str]) -> Latencies:
    """From recording the best item until an answer that leaves it out, the answer included.

    Raises:
        RuntimeError: the next answer still holds it.
    """
    seconds = []
    with grpc.insecure_channel(address) as channel:
        stub = RecommenderServiceStub(channel)  # type: ignore[no-untyped-call]
        for user in users:
            request = pb.RecommendRequest(user_id=user, k=10)
            best = stub.Recommend(request, timeout=_TIMEOUT_S).recommendations[0].item_id
            start = time.perf_counter()
            interaction = pb.Interaction(user_id=user, item_id=best, event_type="rate")
            stub.RecordInteractions(pb.RecordInteractionsRequest(interactions=[interaction]))
            answer = stub.Recommend(request, timeout=_TIMEOUT_S)
            seconds.append(time.perf_counter() - start)
            if best in {item.item_id for item in answer.recommendations}:
                raise RuntimeError(f"item {best}, recorded for user {user}, is answered again")
    return Latencies.of(seconds)


def after_recording(address: str, users: Sequence[str], floor: Target) -> tuple[Latencies, Latencies]:
    """The first answer to each user, _READING_S after recording three interactions; the floor beside."""
    seconds: tuple[list[float], list[float]] = ([], [])
    target = Target.of(address, users)
    ask, echo = _asking(target), _asking(floor)
    _timed(echo, WARMING)
    with grpc.insecure_channel(address) as channel:
        stub = RecommenderServiceStub(channel)  # type: ignore[no-untyped-call]
        for user in users:
            new = [pb.Interaction(user_id=user, item_id=f"{17 * n + 5}", event_type="rate") for n in range(3)]
            stub.RecordInteractions(pb.RecordInteractionsRequest(interactions=new), timeout=_TIMEOUT_S)
            time.sleep(_READING_S)
            for measured, call in zip(seconds, (ask, echo), strict=True):
                measured += _timed(call, 1)
    return Latencies.of(seconds[0]), Latencies.of(seconds[1])


def answer(target: Target) -> bytes:
    """One answer, as it stands on the wire.

    Raises:
        RuntimeError: it is degraded or empty, so nothing measured would count.
    """
    with grpc.insecure_channel(target.address) as channel:
        call = channel.unary_unary(_RECOMMEND)
        for request in target.requests[1:]:
            call(request, timeout=_TIMEOUT_S)
        given: bytes = call(target.requests[0], timeout=_TIMEOUT_S)
    read = pb.RecommendResponse.FromString(given)
    if read.degraded or len(read.recommendations) != 10 or read.basis != pb.BASIS_HISTORY:
        raise RuntimeError(f"expected 10 items from a history, nothing degraded, got {read}")
    return given


def _asking(target: Target, start: int = 0) -> Callable[[], None]:
    """Sends the next request on a connection of its own; clients begin at different ones."""
    call = _channel(target).unary_unary(_RECOMMEND)
    first = 7 * start % len(target.requests)
    requests = cycle([*target.requests[first:], *target.requests[:first]])

    def ask() -> None:
        call(next(requests), timeout=_TIMEOUT_S)

    return ask


def _channel(target: Target) -> grpc.Channel:
    """A connection of its own: by default all channels to one address share one."""
    return grpc.insecure_channel(target.address, [("grpc.use_local_subchannel_pool", 1)])


def _count(ask: Callable[[], None], until: float) -> int:
    """How often it was answered before `until` on the performance counter."""
    answered = 0
    while True:
        ask()
        if time.perf_counter() > until:
            return answered
        answered += 1


def _timed(ask: Callable[[], None], calls: int) -> list[float]:
    seconds = []
    for _ in range(calls):
        start = time.perf_counter()
        ask()
        seconds.append(time.perf_counter() - start)
    return seconds
