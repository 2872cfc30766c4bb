"""Prometheus gauges of an online report, for a Pushgateway and for node_exporter."""

from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, pushadd_to_gateway, write_to_textfile

from components.evaluate_online.online_metrics import METRICS
from components.evaluate_online.online_report import OnlineReport

JOB: Final = "penchant_online"
TIMEOUT_S: Final = 10.0

# Dimensions with few labels; a label of a segment can come from data, and days would stay for ever.
_DIMENSIONS: Final = ("", "release", "scenario", "arm", "basis", "source", "place")
# For readers who are other users than this process, whose files are private.
_READABLE: Final = 0o644


def online_gauges(report: OnlineReport) -> CollectorRegistry:
    """Return the gauges: each metric by dimension and label, with the bounds of its interval."""
    registry = CollectorRegistry()
    labels = ["dimension", "label", "bound"]
    gauges = {
        name: Gauge(
            f"penchant_online_{name}",
            f"{name.replace('_', ' ').capitalize()} of shown items; bound: value, low or high (95 %).",
            labels,
            registry=registry,
        )
        for name in METRICS
    }
    coverage = Gauge(
        "penchant_online_coverage", "Share of the catalog that was shown.", labels[:2], registry=registry
    )
    places = Gauge("penchant_online_shown_items", "Shown items in the window.", labels[:2], registry=registry)
    for each in report.slices:
        if each.dimension not in _DIMENSIONS:
            continue
        name = each.dimension or "all", each.label or "all"
        places.labels(*name).set(each.places)
        if each.coverage is not None:
            coverage.labels(*name).set(each.coverage)
        for metric, measured in each.metrics.items():
            for bound in ("value", "low", "high"):
                value = getattr(measured, bound)
                if value is not None:
                    gauges[metric].labels(*name, bound).set(value)
    return registry


def publish(registry: CollectorRegistry, pushgateway: str, textfiles: Path | None) -> None:
    """Push the gauges to a Pushgateway and write them for node_exporter, where these are set.

    Raises:
        OSError: the gateway can't be reached, or the folder can't be written.
    """
    if pushgateway:
        pushadd_to_gateway(pushgateway, JOB, registry, timeout=TIMEOUT_S)
    if textfiles:
        file = textfiles / f"{JOB}.prom"
        write_to_textfile(str(file), registry)
        file.chmod(_READABLE)
