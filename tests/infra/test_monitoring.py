"""Dashboard and alerts ask for metrics and labels that the recommender gives."""

import json
import re
from typing import Any

import pytest

from serving.telemetry.metrics import Metrics
from tests.infra.conftest import INFRA, KUBERNETES, read

MONITORING = INFRA / "monitoring"
SAMPLES = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_count", "_sum"]}

# Prometheus adds these.
OF_THE_TARGET = {"pod", "le"}


def given() -> dict[str, set[str]]:
    """Name of each sample that the recommender exposes -> its labels."""
    metrics = list(Metrics().registry._collector_to_names)
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
    """Where it stands -> PromQL."""
    shown = {f"{p['title']} {t['refId']}": t["expr"] for p in panels() for t in p["targets"]}
    return shown | {rule["alert"]: rule["expr"] for rule in alerts()}


@pytest.mark.parametrize("place", expressions())
def test_an_expression_asks_for_metrics_that_exist(place: str) -> None:
    named = set(re.findall(r"\bpenchant_\w+", expressions()[place]))
    assert named
    assert named <= given().keys()


@pytest.mark.parametrize("place", expressions())
def test_an_expression_asks_for_labels_that_exist(place: str) -> None:
    expression = expressions()[place]
    metrics = set(re.findall(r"\bpenchant_\w+", expression))
    labels = {label for metric in metrics for label in given()[metric]} | OF_THE_TARGET
    grouped = [name for group in re.findall(r"\bby \(([^)]*)\)", expression) for name in group.split(", ")]
    matched = re.findall(r'(\w+)\s*=~?\s*"', expression)
    assert {*grouped, *matched} <= labels


def test_every_metric_of_the_recommender_is_shown() -> None:
    shown = " ".join(t["expr"] for p in panels() for t in p["targets"])
    families = {re.sub("_(bucket|count|sum|total)$", "", name) for name in given()}
    assert {family for family in families if family not in shown} == set()


def test_legends_use_labels_of_their_expression() -> None:
    for panel in panels():
        for target in panel["targets"]:
            labels = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            known = {"pod"}.union(*(given()[m] for m in re.findall(r"\bpenchant_\w+", target["expr"])))
            assert labels <= known, panel["title"]


def test_panels_stand_apart() -> None:
    assert len({panel["id"] for panel in panels()}) == len(panels())
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        x, y, w, h = (panel["gridPos"][key] for key in ("x", "y", "w", "h"))
        cells = {(column, row) for column in range(x, x + w) for row in range(y, y + h)}
        assert not cells & taken, panel["title"]
        assert x + w <= 24
        taken |= cells


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_is_wrong_and_where_to_look(rule: Any) -> None:
    assert rule["annotations"].keys() == {"summary", "description"}
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert "for" in rule


def test_what_is_scraped_is_a_port_of_a_pod() -> None:
    for monitor in read(MONITORING / "scraping.yaml"):
        name = monitor["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"]
        (deployment,) = (m for m in read(KUBERNETES / "base" / f"{name}.yaml") if m["kind"] == "Deployment")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        ports = {port["name"] for port in container["ports"]}
        assert {endpoint["port"] for endpoint in monitor["spec"]["podMetricsEndpoints"]} <= ports
