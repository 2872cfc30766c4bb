"""Serves the combined metrics of several worker processes as one page."""

import logging
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from http.client import HTTPException
from threading import Lock
from typing import Final

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

logger = logging.getLogger(__name__)

_TIMEOUT_S: Final = 2.0

# Name and labels of a sample.
Key = tuple[str, tuple[tuple[str, str], ...]]
Samples = dict[Key, float]

# Name, documentation and type of a metric.
Family = tuple[str, str, str]


def _fetch(page: str) -> str:
    with urllib.request.urlopen(f"http://{page}/metrics", timeout=_TIMEOUT_S) as answer:
        text: str = answer.read().decode()
        return text


class SummedMetrics(Collector):
    """Sums counters and histograms over the processes; takes the largest value of each gauge.

    The last counts of a process that has ended remain in the sums, so that no counter decreases.
    """

    def __init__(self, pages: Callable[[], Sequence[str]], fetch: Callable[[str], str] = _fetch) -> None:
        """`pages` returns the addresses (host:port) of the running processes; `fetch` reads a page."""
        self._pages, self._fetch = pages, fetch
        self._last, self._ended = dict[str, Samples](), Samples()
        self._families: dict[str, Family] = {}
        self._lock = Lock()

    def serve(self, host: str, port: int) -> int:
        """Serve the page in a thread and return the port; raises OSError if the port is in use."""
        registry = CollectorRegistry()
        registry.register(self)
        try:
            server, _ = start_http_server(port, host, registry)
        except OSError as error:
            raise OSError(
                f"metrics can't listen on {host}:{port} ({error}): set PENCHANT_METRICS_PORT"
            ) from error
        return int(server.server_port)

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            pages = list(self._pages())
            gauges = [self._read(page) for page in pages]
            for page in self._last.keys() - set(pages):
                _add(self._ended, self._last.pop(page))
            samples = Samples(self._ended)
            for counts in self._last.values():
                _add(samples, counts)
            for key in {key for values in gauges for key in values}:
                samples[key] = max(values[key] for values in gauges if key in values)
            yield from self._metrics(samples)

    def _read(self, page: str) -> Samples:
        """Return the gauges of a process; stores its counters and histograms in `_last`."""
        try:
            text = self._fetch(page)
        except (OSError, HTTPException) as error:  # the process may end while it answers
            logger.warning("no metrics from %s: %r", page, error)
            return {}
        gauges, counts = Samples(), Samples()
        for family in text_string_to_metric_families(text):
            samples = gauges if family.type == "gauge" else counts
            for sample in family.samples:
                self._families[sample.name] = family.name, family.documentation, family.type
                samples[sample.name, tuple(sample.labels.items())] = sample.value
        self._last[page] = counts
        return gauges

    def _metrics(self, samples: Samples) -> Iterable[Metric]:
        metrics = dict[Family, Metric]()
        for (name, labels), value in samples.items():
            family = self._families[name]
            metric = metrics.setdefault(family, Metric(*family))
            metric.add_sample(name, dict(labels), value)
        return metrics.values()


def _add(total: Samples, samples: Samples) -> None:
    for key, value in samples.items():
        total[key] = total.get(key, 0.0) + value
