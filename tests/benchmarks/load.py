"""The load generator: one client, many clients, or an open loop. It runs in a process of its own."""

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

_SERVICE: Final = "/penchant.v1.RecommenderService"
_TIMEOUT_S: Final = 5.0

# Time between a recording and the next request of the same user, and before a request after a pause.
_PAUSE_S: Final = 0.05

# Requests before the first measured one: they open connections and fill caches.
WARM_UP: Final = 100

# Threads of the open loop, and the connections that they share.
_THREADS: Final = 64
_CONNECTIONS: Final = 16


@dataclass(frozen=True)
class Target:
    """A server, and the requests that it gets in turn."""

    address: str
    requests: tuple[bytes, ...]
    method: str = "Recommend"

    @classmethod
    def of(cls, address: str, users: Sequence[str], k: int = 10) -> "Target":
        requests = (pb.RecommendRequest(user_id=user, k=k).SerializeToString() for user in users)
        return cls(address, tuple(requests))

    @classmethod
    def of_forecasts(cls, address: str, users: Sequence[str]) -> "Target":
        """Ask for the forecast of five steps."""
        requests = (pb.ForecastInterestsRequest(user_id=user).SerializeToString() for user in users)
        return cls(address, tuple(requests), "ForecastInterests")


@dataclass(frozen=True)
class Latencies:
    """Latencies in milliseconds, from when a request was due until its answer arrived."""

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
        p50, p95, p99, p999 = np.percentile(ms, (50, 95, 99, 99.9)).tolist()
        return cls(len(ms), float(ms.mean()), p50, p95, p99, p999, float(ms.max()), errors, degraded)


def one_client(
    targets: dict[str, Target], rounds: int, calls: int, pause_s: float = 0.0
) -> dict[str, Latencies]:
    """Measure one request at a time.

    Targets take turns with `calls` requests each, so that other load on the machine affects all of them;
    every second round is in the opposite order.
    `pause_s`: before each turn.
    """
    seconds: dict[str, list[float]] = {name: [] for name in targets}
    clients = {name: _sender(target) for name, target in targets.items()}
    for send in clients.values():
        _timed(send, WARM_UP)
    for number in range(rounds):
        for name, send in list(clients.items())[:: -1 if number % 2 else 1]:
            time.sleep(pause_s)
            seconds[name] += _timed(send, calls)
    return {name: Latencies.of(measured) for name, measured in seconds.items()}


def after_pauses(targets: dict[str, Target], calls: int) -> dict[str, Latencies]:
    """Measure `calls` requests of each target, each after a pause, in turn."""
    return one_client(targets, calls, 1, _PAUSE_S)


def plain(target: Target, calls: int) -> Latencies:
    """Measure one client without a warm-up, so that every request that the server gets is measured."""
    return Latencies.of(_timed(_sender(target), calls))


def many_clients(
    targets: dict[str, Target], clients: int, rounds: int, seconds: float
) -> dict[str, list[float]]:
    """Return the requests/s of each round; each client sends its next request after its last answer.

    Targets take turns, so that the rates of one round belong to one speed of the machine, and every second
    round is in the opposite order. A round has connections of its own, because the kernel distributes them
    unevenly to the workers: that must not be the difference of two targets. And it has a fixed time, not a
    fixed number of calls, so that the rate does not depend on the slowest client.
    """
    rates: dict[str, list[float]] = {name: [] for name in targets}
    with ThreadPoolExecutor(clients) as pool:
        for number in range(rounds):
            for name, target in list(targets.items())[:: -1 if number % 2 else 1]:
                senders = [_sender(target, start) for start in range(clients)]
                list(pool.map(lambda send: _timed(send, 10), senders))
                end = time.perf_counter() + seconds
                answers = sum(pool.map(lambda send, end=end: _count(send, end), senders))
                rates[name].append(answers / seconds)
    return rates


def open_loop(target: Target, rate: float, seconds: float) -> Latencies:
    """Measure requests that arrive by a Poisson process, whether or not earlier ones are answered.

    Each thread takes the next arrival and waits until it is due. When all threads still wait for answers, the
    next request is sent late; its latency counts from when it was due.
    """
    generator = np.random.default_rng(11)
    due = np.cumsum(generator.exponential(1 / rate, max(1, int(rate * seconds)))).tolist()
    arrivals, lock, tally = iter(enumerate(due)), Lock(), _Tally()

    with ExitStack() as opened, _without_garbage_collection():
        channels = (opened.enter_context(_channel(target)) for _ in range(_CONNECTIONS))
        calls = [_call(channel) for channel in channels]
        pool = opened.enter_context(ThreadPoolExecutor(_THREADS))
        for number in range(WARM_UP):
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
                tally.send(call, target.requests[number % len(target.requests)], start + after)

        list(pool.map(arrive, range(_THREADS)))
    return Latencies.of(tally.seconds, tally.errors, tally.degraded)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Turn the garbage collector off: a collection would be measured as latency of the server."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class _Tally:
    """Results of the open loop; threads only append to its lists, which is safe."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._failed: list[int] = []
        self._degraded: list[int] = []

    def send(self, call: Callable[..., bytes], request: bytes, due: float) -> None:
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
    """Measure recording the best item of an answer and the next answer together.

    Raises:
        RuntimeError: the next answer still contains that item.
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
                raise RuntimeError(f"item {best}, recorded by user {user}, is recommended again")
    return Latencies.of(seconds)


def after_recording(address: str, users: Sequence[str], echo: Target) -> tuple[Latencies, Latencies]:
    """Measure the first request of each user _PAUSE_S after recording three interactions, and the echo."""
    seconds: tuple[list[float], list[float]] = ([], [])
    target = Target.of(address, users)
    send, send_to_echo = _sender(target), _sender(echo)
    _timed(send_to_echo, WARM_UP)
    with grpc.insecure_channel(address) as channel:
        stub = RecommenderServiceStub(channel)  # type: ignore[no-untyped-call]
        for user in users:
            new = [pb.Interaction(user_id=user, item_id=f"{17 * n + 5}", event_type="rate") for n in range(3)]
            stub.RecordInteractions(pb.RecordInteractionsRequest(interactions=new), timeout=_TIMEOUT_S)
            time.sleep(_PAUSE_S)
            for measured, call in zip(seconds, (send, send_to_echo), strict=True):
                measured += _timed(call, 1)
    return Latencies.of(seconds[0]), Latencies.of(seconds[1])


def answer(target: Target) -> bytes:
    """Return the bytes of one answer.

    Raises:
        RuntimeError: it is degraded, or has not 10 items, so the measurements would mean nothing.
    """
    with grpc.insecure_channel(target.address) as channel:
        call = _call(channel)
        for request in target.requests[1:]:
            call(request, timeout=_TIMEOUT_S)
        body: bytes = call(target.requests[0], timeout=_TIMEOUT_S)
    read = pb.RecommendResponse.FromString(body)
    if read.degraded or len(read.recommendations) != 10 or read.basis != pb.BASIS_HISTORY:
        raise RuntimeError(f"expected 10 items from a history, nothing degraded, got {read}")
    return body


def _call(channel: grpc.Channel, method: str = "Recommend") -> "grpc.UnaryUnaryMultiCallable[bytes, bytes]":
    return channel.unary_unary(f"{_SERVICE}/{method}")


def _sender(target: Target, start: int = 0) -> Callable[[], None]:
    """Return a function that sends the next request on its own connection; `start` varies the first one."""
    call = _call(_channel(target), target.method)
    first = 7 * start % len(target.requests)
    requests = cycle([*target.requests[first:], *target.requests[:first]])

    def send() -> None:
        call(next(requests), timeout=_TIMEOUT_S)

    return send


def _channel(target: Target) -> grpc.Channel:
    """Open a separate connection; by default all channels to one address share one."""
    return grpc.insecure_channel(target.address, [("grpc.use_local_subchannel_pool", 1)])


def _count(send: Callable[[], None], end: float) -> int:
    """Send requests until `end` on the performance counter; returns how many were answered before it."""
    answers = 0
    while True:
        send()
        if time.perf_counter() > end:
            return answers
        answers += 1


def _timed(send: Callable[[], None], calls: int) -> list[float]:
    """Return the seconds that each of `calls` requests took."""
    seconds = []
    for _ in range(calls):
        start = time.perf_counter()
        send()
        seconds.append(time.perf_counter() - start)
    return seconds
