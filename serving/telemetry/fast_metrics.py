"""What is counted several times an answer, in a fraction of the time that prometheus_client takes for it."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from threading import Lock
from time import perf_counter
from types import TracebackType

from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector


class FastHistogram(Collector):
    """A histogram of seconds for each combination of labels."""

    def __init__(self, name: str, about: str, labels: Sequence[str], buckets: Sequence[float]) -> None:
        self._name, self._about, self._buckets = name, about, tuple(buckets)
        self._labelnames = tuple(labels)
        self._counts, self._sums = dict[tuple[str, ...], list[int]](), dict[tuple[str, ...], float]()
        self._lock = Lock()

    def declare(self, *labels: str) -> None:
        """Show this combination from the start."""
        self._counts[labels], self._sums[labels] = [0] * (len(self._buckets) + 1), 0.0

    def time(self, *labels: str) -> "Timer":
        """Adds what passes until its end."""
        return Timer(self, labels)

    def add(self, labels: tuple[str, ...], seconds: float) -> None:
        bucket = bisect_left(self._buckets, seconds)
        with self._lock:
            if labels not in self._counts:
                self.declare(*labels)
            self._counts[labels][bucket] += 1
            self._sums[labels] += seconds

    def describe(self) -> Iterable[Metric]:
        return [self._family()]

    def collect(self) -> Iterator[Metric]:
        family = self._family()
        with self._lock:
            counts, sums = {labels: list(own) for labels, own in self._counts.items()}, dict(self._sums)
        bounds = [str(float(bound)) for bound in self._buckets] + ["+Inf"]
        for labels, own in counts.items():
            upto = [sum(own[: place + 1]) for place in range(len(own))]
            family.add_metric(labels, list(zip(bounds, upto, strict=True)), sums[labels])
        yield family

    def _family(self) -> HistogramMetricFamily:
        return HistogramMetricFamily(self._name, self._about, labels=self._labelnames)


class Timer:
    """Times one thing once."""

    __slots__ = ("_labels", "_start", "_timings")

    def __init__(self, timings: FastHistogram, labels: tuple[str, ...]) -> None:
        self._timings, self._labels = timings, labels

    def __enter__(self) -> None:
        self._start = perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timings.add(self._labels, perf_counter() - self._start)


class BitmaskCounter(Collector):
    """A counter for each of some names, fed by numbers that carry a bit for each name that they count for."""

    def __init__(self, name: str, about: str, label: str, names: Sequence[str]) -> None:
        self._name, self._about, self._names = name, about, tuple(names)
        self._labelnames = (label,)
        self._by_bits, self._lock = dict[int, int](), Lock()

    def add(self, numbers: Iterable[int]) -> None:
        with self._lock:
            for bits in numbers:
                self._by_bits[bits] = self._by_bits.get(bits, 0) + 1

    def describe(self) -> Iterable[Metric]:
        return [CounterMetricFamily(self._name, self._about, labels=self._labelnames)]

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(self._name, self._about, labels=self._labelnames)
        with self._lock:
            by_bits = dict(self._by_bits)
        for bit, name in enumerate(self._names):
            named = sum(count for bits, count in by_bits.items() if bits & (1 << bit))
            family.add_metric([name], named)
        yield family
