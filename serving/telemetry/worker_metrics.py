"""One page of metrics for several processes: what they count is added up."""

import logging
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import Lock
from typing import Final

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

logger = logging.getLogger(__name__)

_TIMEOUT_S: Final = 2.0

# Name and labels of one number.
Key = tuple[str, tuple[tuple[str, str], ...]]
Numbers = dict[Key, float]

# Name, documentation and type of the metric that a number belongs to.
Family = tuple[str, str, str]


def _fetch(page: str) -> str:
    with urllib.request.urlopen(f"http://{page}/metrics", timeout=_TIMEOUT_S) as answer:
        text: str = answer.read().decode()
        return text


class SummedMetrics(Collector):
    """Counters and histograms are sums, a gauge is the largest of the processes' own.

    What a process that is gone had counted when it was last asked stays counted, so that a sum never falls.
    """

    def __init__(self, pages: Callable[[], Sequence[str]], fetch: Callable[[str], str] = _fetch) -> None:
        """`pages`: addresses (host:port) of the processes that live; `fetch` gives the text of one."""
        self._pages, self._fetch = pages, fetch
        self._last, self._gone = dict[str, Numbers](), Numbers()
        self._families: dict[str, Family] = {}
        self._lock = Lock()

    def serve(self, host: str, port: int) -> int:
        """The port; raises OSError when it is taken."""
        registry = CollectorRegistry()
        registry.register(self)
        try:
            page, _ = start_http_server(port, host, registry)
        except OSError as error:
            raise OSError(
                f"metrics can't listen on {host}:{port} ({error}): set PENCHANT_METRICS_PORT"
            ) from error
        return int(page.server_port)

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            pages = list(self._pages())
            gauges = [self._ask(page) for page in pages]
            for page in self._last.keys() - set(pages):
                _add(self._gone, self._last.pop(page))
            numbers = Numbers(self._gone)
            for counted in self._last.values():
                _add(numbers, counted)
            for key in {key for given in gauges for key in given}:
                numbers[key] = max(given[key] for given in gauges if key in given)
            yield from self._families_of(numbers)

    def _ask(self, page: str) -> Numbers:
        """The gauges of a process; what it counts is kept as its last."""
        try:
            text = self._fetch(page)
        except OSError as error:
            logger.warning("no metrics from %s: %s", page, error)
            return {}
        gauges, counted = Numbers(), Numbers()
        for family in text_string_to_metric_families(text):
            kept = gauges if family.type == "gauge" else counted
            for sample in family.samples:
                self._families[sample.name] = family.name, family.documentation, family.type
                kept[sample.name, tuple(sample.labels.items())] = sample.value
        self._last[page] = counted
        return gauges

    def _families_of(self, numbers: Numbers) -> Iterable[Metric]:
        metrics = dict[Family, Metric]()
        for (name, labels), number in numbers.items():
            family = self._families[name]
            metric = metrics.setdefault(family, Metric(*family))
            metric.add_sample(name, dict(labels), number)
        return metrics.values()


def _add(to: Numbers, more: Numbers) -> None:
    for key, number in more.items():
        to[key] = to.get(key, 0.0) + number
