"""The metrics of a run keep the last success through failed runs, and are readable by node_exporter."""

import time
from pathlib import Path
from typing import get_args

from prometheus_client.parser import text_string_to_metric_families

from components.evaluate_release.release_gate import Outcome as Verdict
from components.report_run.outcome import Outcome
from components.report_run.run_metrics import VERDICTS, RunMetrics
from tests.webhook_receiver import receiver

GOOD = Outcome("1", "training", "succeeded", duration_s=61.0, rows=2000, verdict="better", version=3)
BAD = Outcome("2", "training", "failed", failed_step="Build features", duration_s=9.0)


def samples(text: str) -> dict[tuple[str, str], float]:
    """(Name without penchant_run_, labels other than the pipeline) -> value."""
    return {
        (sample.name.removeprefix("penchant_run_"), ",".join(list(sample.labels.values())[1:])): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels["pipeline"] == "training"
    }


def test_a_success_has_all_metrics(tmp_path: Path) -> None:
    written = samples(RunMetrics(GOOD).write(tmp_path).read_text())

    assert written["failed", ""] == 0
    assert written["duration_seconds", ""] == 61
    assert written["rows", ""] == 2000
    assert [written["verdict", verdict] for verdict in VERDICTS] == [1, 0, 0]
    assert abs(written["last_success_timestamp_seconds", ""] - time.time()) < 600


def test_a_failure_names_its_step_and_keeps_the_last_success(tmp_path: Path) -> None:
    before = samples(RunMetrics(GOOD).write(tmp_path).read_text())
    after = samples(RunMetrics(BAD).write(tmp_path).read_text())

    assert after["failed", "Build features"] == 1
    assert ("failed", "") not in after
    assert after["duration_seconds", ""] == 9
    assert [after["verdict", verdict] for verdict in VERDICTS] == [0, 0, 0]
    for kept in ("last_success_timestamp_seconds", "rows"):
        assert after[kept, ""] == before[kept, ""]


def test_the_next_success_is_no_failure(tmp_path: Path) -> None:
    RunMetrics(BAD).write(tmp_path)
    assert [value for (name, _), value in samples(RunMetrics(GOOD).write(tmp_path).read_text()).items()
            if name == "failed"] == [0]  # fmt: skip


def test_the_file_is_readable_by_other_users_and_alone(tmp_path: Path) -> None:
    file = RunMetrics(GOOD).write(tmp_path)
    assert file.stat().st_mode & 0o777 == 0o644
    assert [entry.name for entry in tmp_path.iterdir()] == ["penchant_training.prom"]


def test_a_pushgateway_gets_the_metrics_in_a_group_of_the_pipeline_and_keeps_others() -> None:
    with receiver() as gateway:
        RunMetrics(BAD).push(gateway.url)
    # POST replaces the metrics of these names alone; PUT would delete the time of the last success.
    assert (gateway.methods, gateway.paths) == (["POST"], ["/metrics/job/penchant/pipeline/training"])
    assert samples(gateway.bodies[0].decode())["failed", "Build features"] == 1


def test_the_verdicts_are_those_of_the_release_gate() -> None:
    assert get_args(Verdict) == VERDICTS
