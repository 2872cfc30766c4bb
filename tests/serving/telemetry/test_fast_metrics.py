"""The same numbers that prometheus_client's own classes give."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.registry import Collector

from serving.telemetry.fast_metrics import BitmaskCounter, FastHistogram

BUCKETS = (0.001, 0.01, 0.1)
SECONDS = (0.0, 0.001, 0.0011, 0.05, 0.1, 7.0)


def shown(*collectors: Collector) -> list[str]:
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    lines = generate_latest(registry).decode().splitlines()
    return sorted(line for line in lines if "_created" not in line)


def test_timings_show_what_a_histogram_would() -> None:
    timings = FastHistogram("seconds", "Time", ["stage", "code"], BUCKETS)
    histogram = Histogram("seconds", "Time", ["stage", "code"], buckets=BUCKETS, registry=None)
    for stage, code in (("a", "OK"), ("b", "OK"), ("a", "LATE")):
        for seconds in SECONDS:
            timings.add((stage, code), seconds)
            histogram.labels(stage, code).observe(seconds)
    assert shown(timings) == shown(histogram)


def test_what_is_declared_is_shown_before_it_happens() -> None:
    timings = FastHistogram("seconds", "Time", ["stage"], BUCKETS)
    timings.declare("a")
    histogram = Histogram("seconds", "Time", ["stage"], buckets=BUCKETS, registry=None)
    histogram.labels("a")
    assert shown(timings) == shown(histogram)


def test_a_timer_adds_once_even_when_what_it_times_fails() -> None:
    timings = FastHistogram("seconds", "Time", ["stage"], BUCKETS)
    with pytest.raises(KeyError), timings.time("a"):
        raise KeyError
    assert 'seconds_count{stage="a"} 1.0' in shown(timings)


def test_bits_count_for_each_name_they_carry() -> None:
    counts = BitmaskCounter("items", "Items", "source", ["interest", "trend", "fresh"])
    counts.add([0b001, 0b101, 0, 0b101])
    counter = Counter("items", "Items", ["source"], registry=None)
    for source, count in (("interest", 3), ("trend", 0), ("fresh", 2)):
        counter.labels(source).inc(count)
    assert shown(counts) == shown(counter)


def test_threads_lose_nothing() -> None:
    timings, counts = (
        FastHistogram("seconds", "Time", ["stage"], BUCKETS),
        BitmaskCounter("items", "I", "s", ["x"]),
    )

    def work(_: int) -> None:
        for _ in range(2_000):
            timings.add(("a",), 0.5)
            counts.add([1, 1])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert 'seconds_count{stage="a"} 8000.0' in shown(timings)
    assert 'items_total{s="x"} 16000.0' in shown(counts)
