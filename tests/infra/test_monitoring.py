"""The dashboard and the alerts use metrics and labels that the recommender and the pipelines expose."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.evaluate_online.attribution import AttributedEvents
from components.evaluate_online.online_gauges import online_gauges
from components.evaluate_online.online_metrics import METRICS, Measured, OnlineSlice
from components.evaluate_online.online_report import Attribution, OnlineReport
from components.report_run.outcome import Outcome
from components.report_run.run_metrics import RunMetrics
from serving.telemetry.metrics import Metrics
from tests.infra.conftest import INFRA, KUBERNETES, read

MONITORING = INFRA / "monitoring"
SAMPLES = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_count", "_sum"]}

# Labels that Prometheus adds.
TARGET_LABELS = {"pod", "le"}


def exposed() -> dict[str, set[str]]:
    """Return the labels of each sample that the recommender and a run expose, by sample name."""
    metrics: list[Any] = list(Metrics().registry._collector_to_names)
    families = [(family, metric) for metric in metrics for family in metric.describe()]
    samples = {
        f"{family.name}{suffix}": set(metric._labelnames)
        for family, metric in families
        for suffix in SAMPLES[family.type]
    }
    run = RunMetrics(Outcome("1", "training", "succeeded", duration_s=1.0, rows=1)).registry
    gauges = [*run.collect(), *online_gauges(report()).collect()]
    return samples | {s.name: set(s.labels) for gauge in gauges for s in gauge.samples}


def report() -> OnlineReport:
    """Return an online report with every metric."""
    shown = OnlineSlice("", "", 1, 1, 1, 1, 1.0, {name: Measured(0.5, 0.4, 0.6) for name in METRICS})
    return OnlineReport(0, 1, Attribution(), AttributedEvents(1, 0, 0, 0, 0, 0), 1, [shown])


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


@pytest.mark.parametrize(
    ("use", "excluded"),
    [
        (
            r"penchant_request_duration_seconds_bucket(\S*)",
            "UNAUTHENTICATED|PERMISSION_DENIED|RESOURCE_EXHAUSTED",
        ),
        (r"/.*sum\(rate\(penchant_request_duration_seconds_count(\S*)", "UNAUTHENTICATED|PERMISSION_DENIED"),
    ],
    ids=["quantiles", "denominators"],
)
def test_refused_calls_do_not_hide_slow_failed_or_degraded_ones(use: str, excluded: str) -> None:
    selectors = [found for expression in expressions().values() for found in re.findall(use, expression)]
    assert selectors
    assert [selector for selector in selectors if f'code!~"{excluded}"' not in selector] == []


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


def test_alerts_fire_after_a_failed_night_and_after_a_day_without_success(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.skip("promtool is not on the path; it evaluates the alerts")
    (rules,) = read(MONITORING / "alerts.yaml")
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules["spec"]))
    failed, succeeded = "penchant_run_failed", "penchant_run_last_success_timestamp_seconds"
    step = "Build features"
    series = {
        f'{failed}{{pipeline="training",step=""}}': "0x20 _x200",
        f'{failed}{{pipeline="training",step="{step}"}}': "_x20 1x200",  # from 10:30 on
        f'{succeeded}{{pipeline="training"}}': "0x4000",
        f'{succeeded}{{pipeline="promotion"}}': "0x4000",  # promotions are rare
    }
    labels = {"pipeline": "training", "severity": "critical"}
    expected: list[tuple[str, str, Any]] = [
        ("9m", "PipelineFailed", None),
        ("12m", "PipelineFailed", labels | {"step": step}),
        ("26h", "NoSuccessfulTraining", None),
        ("26h15m", "NoSuccessfulTraining", labels),
    ]
    summaries = {
        "12m": "The last training run failed in Build features.",
        "26h15m": "No training has succeeded for 1d 2h 15m 0s.",
    }
    descriptions = {rule["alert"]: rule["annotations"]["description"] for rule in alerts()}
    test = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "30s",
        "tests": [
            {
                "interval": "30s",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "alert_rule_test": [
                    {
                        "eval_time": time,
                        "alertname": alert,
                        "exp_alerts": firing
                        and [
                            {
                                "exp_labels": firing,
                                "exp_annotations": {
                                    "summary": summaries[time],
                                    "description": descriptions[alert],
                                },
                            }
                        ],
                    }
                    for time, alert, firing in expected
                ],
            }
        ],
    }
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(test))
    done = subprocess.run(
        [promtool, "test", "rules", str(tmp_path / "test.yaml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_scraped_ports_are_ports_of_the_pods() -> None:
    for monitor in read(MONITORING / "scraping.yaml"):
        name = monitor["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"]
        (deployment,) = (m for m in read(KUBERNETES / "base" / f"{name}.yaml") if m["kind"] == "Deployment")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        ports = {port["name"] for port in container["ports"]}
        assert {endpoint["port"] for endpoint in monitor["spec"]["podMetricsEndpoints"]} <= ports
