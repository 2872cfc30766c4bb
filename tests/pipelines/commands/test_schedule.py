from collections.abc import Iterator
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from components.check_schedule.component import check_schedule
from pipelines.cli import app
from pipelines.commands.errors import FAILED, WRONG_USE
from pipelines.training_pipeline import training
from tests.pipelines.kubeflow.fake_kubeflow import FakeKubeflow, fake_kubeflow

CLUSTER = {
    "WAREHOUSE": "s3://bucket/warehouse",
    "RELEASES": "s3://bucket/releases",
    "INTERACTION_LOG": "postgresql+psycopg://database/penchant",
    "REGISTRY": "postgresql+psycopg://database/feast",
    "ONLINE_STORE": "redis://redis:6379",
    "TRACKING_URI": "http://mlflow:5000",
}


@pytest.fixture
def kubeflow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeKubeflow]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PENCHANT_HOME", str(tmp_path))
    for name, value in CLUSTER.items():
        monkeypatch.setenv(f"PENCHANT_{name}", value)
    with fake_kubeflow() as server:
        monkeypatch.setenv("PENCHANT_KUBEFLOW", server.address)
        yield server


@pytest.fixture
def one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipeline of one step with the parameters of the training, which kfp compiles in seconds."""

    @wraps(training)
    def pipeline(**parameters: Any) -> None:
        check_schedule(cron="0 3 * * *", timezone="UTC", tolerance_minutes=1)

    monkeypatch.setattr("pipelines.training_pipeline.training", pipeline)


def penchant(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def only(kubeflow: FakeKubeflow) -> Any:
    [recurring] = kubeflow.recurring_runs.values()
    return recurring


@pytest.mark.usefixtures("one_step")
def test_the_next_three_times_are_printed_before_the_schedule_is_created(kubeflow: FakeKubeflow) -> None:
    kubeflow.fail_at = {"POST recurringruns": 500}

    result = penchant("schedule", "create", "0 3 * * *", "--cron-timezone", "Asia/Tokyo")

    assert result.exit_code == FAILED
    assert result.stdout.count("03:00 JST (18:00 UTC)") == 3


@pytest.mark.usefixtures("one_step")
def test_a_schedule_is_created_listed_paused_and_deleted(kubeflow: FakeKubeflow) -> None:
    assert "nightly: created" in penchant("schedule", "create", "0 3 * * *").stdout
    assert "nightly: unchanged" in penchant("schedule", "create", "0 3 * * *").stdout
    assert "nightly: replaced" in penchant("schedule", "create", "0 4 * * *").stdout
    listed = penchant("schedule", "list").stdout
    assert "0 4 * * *" in listed
    assert "enabled" in listed
    penchant("schedule", "pause")
    assert "paused" in penchant("schedule", "list").stdout
    assert "paused; `penchant schedule resume nightly`" in penchant("schedule", "create", "0 4 * * *").stdout
    penchant("schedule", "resume")
    assert "started as run" in penchant("schedule", "run-now").stdout
    assert "nightly is deleted" in penchant("schedule", "delete", "nightly").stdout
    assert "no schedule yet" in penchant("schedule", "list").stdout


@pytest.mark.usefixtures("one_step")
def test_a_schedule_starts_warm_and_has_sources_by_url(kubeflow: FakeKubeflow) -> None:
    penchant("schedule", "create", "0 3 * * *", "--items", "https://files.example.com/items.csv")

    parameters = only(kubeflow).runtime_config.parameters
    assert parameters["hyperparameters"] == {"warm_start": True}
    assert parameters["items_file"] == "https://files.example.com/items.csv"

    penchant("schedule", "create", "0 3 * * *", "--set", "warm_start=false")
    assert only(kubeflow).runtime_config.parameters["hyperparameters"] == {"warm_start": False}
    assert "hyperparameters" in penchant("schedule", "show").stdout


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["schedule", "create", "foo bar baz a b c"], WRONG_USE, "five fields"),
        (["schedule", "create", "0 3 * * *", "--cron-timezone", "Mars"], WRONG_USE, "timezone='Mars'"),
        (["schedule", "create", "0 3 * * *", "--items", "items.csv"], WRONG_USE, "--items="),
        (["schedule", "pause", "weekly"], FAILED, "no schedule 'weekly'"),
        (["submit", "--interactions", "/data/shop.csv"], WRONG_USE, "--interactions=/data/shop.csv"),
        (["runs", "show", "unknown"], FAILED, "no such object"),
    ],
)
def test_what_is_wrong_is_one_message(
    kubeflow: FakeKubeflow, arguments: list[str], exit_code: int, message: str
) -> None:
    result = penchant(*arguments)

    assert (result.exit_code, result.exception.__class__) == (exit_code, SystemExit)
    assert message in result.stderr
    assert not kubeflow.recurring_runs


def test_a_run_is_submitted_listed_and_shown(kubeflow: FakeKubeflow) -> None:
    submitted = penchant("submit", "--dataset", "movielens-100k", "--set", "epochs=1")
    [run_id] = kubeflow.runs

    assert run_id in submitted.stdout
    assert run_id in penchant("runs", "list").stdout
    assert penchant("runs", "show", run_id).exit_code == 0
    kubeflow.runs[run_id].state = "FAILED"
    assert penchant("runs", "show", run_id, "--wait").exit_code == FAILED
