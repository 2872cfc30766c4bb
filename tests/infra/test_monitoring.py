"""The dashboard and the alerts use metrics and labels that the recommender exposes."""

import json
import re
from typing import Any

import pytest

from serving.telemetry.metrics import Metrics
from tests.infra.conftest import INFRA, KUBERNETES, read

MONITORING = INFRA / "monitoring"
SAMPLES = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_count", "_sum"]}

# Labels that Prometheus adds.
TARGET_LABELS = {"pod", "le"}


def exposed() -> dict[str, set[str]]:
    """Return the labels of each sample that the recommender exposes, by sample name."""
    metrics: list[Any] = list(Metrics().registry._collector_to_names)
    families = [(family, metric) for metric in metrics for family in metric.describe()]
    return {
        f"{family.name}{suffix}": set(metric._labelnames)
        for family, metric in families
        for suffix in SAMPLES[family.type]
    }


def alerts() -> list[Any]:
    (rules,) = read(MONITORING / "alerts.yaml")
    return [rule for group in rules["spec"]["groups"] for rule in group["rules"]]


def panels() -> list[Any]:
    panels: list[Any] = json.loads((MONITORING / "dashboard.json").read_text())["panels"]
    return panels


def expressions() -> dict[str, str]:
    """Return the PromQL expressions by panel or alert."""
    panel_queries = {f"{p['title']} {t['refId']}": t["expr"] for p in panels() for t in p["targets"]}
    return panel_queries | {rule["alert"]: rule["expr"] for rule in alerts()}


@pytest.mark.parametrize("name", expressions())
def test_expressions_use_existing_metrics(name: str) -> None:
    metrics = set(re.findall(r"\bpenchant_\w+", expressions()[name]))
    assert metrics
    assert metrics <= exposed().keys()


@pytest.mark.parametrize("name", expressions())
def test_expressions_use_existing_labels(name: str) -> None:
    expression = expressions()[name]
    metrics = set(re.findall(r"\bpenchant_\w+", expression))
    labels = {label for metric in metrics for label in exposed()[metric]} | TARGET_LABELS
    grouped = [label for group in re.findall(r"\bby \(([^)]*)\)", expression) for label in group.split(", ")]
    matched = re.findall(r'(\w+)\s*[=!]~?\s*"', expression)
    assert {*grouped, *matched} <= labels


@pytest.mark.parametrize("name", expressions())
def test_refused_calls_do_not_hide_slow_failed_or_degraded_ones(name: str) -> None:
    expression = expressions()[name]
    for quantile in re.findall(r"penchant_request_duration_seconds_bucket(\S*)", expression):
        assert 'code!~"UNAUTHENTICATED|PERMISSION_DENIED|RESOURCE_EXHAUSTED"' in quantile
    for denominator in re.findall(r"/.*sum\(rate\(penchant_request_duration_seconds_count(\S*)", expression):
        assert 'code!~"UNAUTHENTICATED|PERMISSION_DENIED"' in denominator


def test_the_dashboard_shows_every_metric() -> None:
    shown = " ".join(t["expr"] for p in panels() for t in p["targets"])
    families = {re.sub("_(bucket|count|sum|total)$", "", name) for name in exposed()}
    assert {family for family in families if family not in shown} == set()


def test_legends_use_labels_of_their_expression() -> None:
    for panel in panels():
        for target in panel["targets"]:
            labels = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            existing = {"pod"}.union(*(exposed()[m] for m in re.findall(r"\bpenchant_\w+", target["expr"])))
            assert labels <= existing, panel["title"]


def test_panels_do_not_overlap() -> None:
    assert len({panel["id"] for panel in panels()}) == len(panels())
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        x, y, w, h = (panel["gridPos"][key] for key in ("x", "y", "w", "h"))
        cells = {(column, row) for column in range(x, x + w) for row in range(y, y + h)}
        assert not cells & taken, panel["title"]
        assert x + w <= 24
        taken |= cells


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_alerts_have_a_summary_and_a_description(rule: Any) -> None:
    assert rule["annotations"].keys() == {"summary", "description"}
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert "for" in rule


def test_scraped_ports_are_ports_of_the_pods() -> None:
    for monitor in read(MONITORING / "scraping.yaml"):
        name = monitor["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"]
        (deployment,) = (m for m in read(KUBERNETES / "base" / f"{name}.yaml") if m["kind"] == "Deployment")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        ports = {port["name"] for port in container["ports"]}
        assert {endpoint["port"] for endpoint in monitor["spec"]["podMetricsEndpoints"]} <= ports
