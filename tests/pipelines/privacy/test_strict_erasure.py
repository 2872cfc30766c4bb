"""After a strict erasure the live version has not learned from the person, or the receipt says so."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from components.erase_user import receipt
from components.erase_user.receipt import Receipt
from components.run_record import RunRecord, Status
from pipelines.cli import app
from pipelines.commands.tables.receipts import print_receipt
from pipelines.errors import RunError
from pipelines.privacy.erasure import RECEIPTS
from pipelines.privacy.strict_erasure import train_without
from pipelines.settings import Settings
from serving.experiments.experiment import Act
from serving.release.published_versions import PublishedVersions
from serving.release.tainted_versions import taint
from tests.serving.experiments.experiments import AT, file_of, halves
from tests.serving.planted import write_release


def go_live(settings: Settings, version: int) -> None:
    write_release(Path(settings.releases), version)
    (Path(settings.releases) / "live.json").write_text(json.dumps({"version": version}))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home whose live version has learned from the person of receipt 1."""
    settings = Settings(home=tmp_path)
    go_live(settings, 1)
    taint(PublishedVersions(settings.releases), [1], 1)
    return settings


def erased(settings: Settings) -> Receipt:
    result = Receipt(1, "digest", receipt.now(), tainted_releases=[1])
    receipt.write(settings.home / RECEIPTS, result)
    return result


def training(settings: Settings, version: int | None) -> Callable[[], Path]:
    """Return a training whose version goes live, or with None is held."""

    def train() -> Path:
        if version:
            go_live(settings, version)
        return settings.home / "runs" / "20260101-000000"

    return train


def written(settings: Settings) -> dict[str, object]:
    receipts = settings.home / RECEIPTS
    retraining = receipt.verify(receipts, receipts / "1.json").retraining
    assert retraining.pop("at")
    return retraining


def test_the_version_of_the_new_run_is_live_and_has_not_learned(settings: Settings) -> None:
    train_without(settings, erased(settings), training(settings, 2))
    assert written(settings) == {"run": "20260101-000000", "live": 2, "learned": False, "versions": []}
    # A repeat has nothing to train: version 2 is clean.
    train_without(settings, erased(settings), lambda: pytest.fail("trained again"))
    assert written(settings) == {"run": "", "live": 2, "learned": False, "versions": []}


def test_a_version_that_is_held_is_an_error_and_in_the_receipt(settings: Settings) -> None:
    with pytest.raises(RunError, match="version 1, which learned from erased users, still answers"):
        train_without(settings, erased(settings), training(settings, None))
    assert written(settings) == {"run": "20260101-000000", "live": 1, "learned": True, "versions": [1]}


def test_a_running_experiment_with_a_version_that_learned_is_an_error_and_in_the_receipt(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    file = file_of(settings.home)
    file.start(halves())
    result = erased(settings)
    with pytest.raises(RunError, match=r"experiment e goes on .* \(1\): `penchant experiment stop`"):
        train_without(settings, result, training(settings, 2))
    print_receipt(result)
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "Run 20260101-000000 has trained again. The live version, 2, has learned from no erased user.",
        "The running experiment uses versions that have: 1.",
    ]
    assert written(settings) == {"run": "20260101-000000", "live": 2, "learned": True, "versions": [1]}
    file.stop("e", Act(what="stopped", by="ada", at=AT))
    train_without(settings, erased(settings), lambda: pytest.fail("trained again"))
    assert written(settings) == {"run": "", "live": 2, "learned": False, "versions": []}


def test_a_run_that_fails_is_in_the_receipt(settings: Settings) -> None:
    def fail() -> Path:
        raise RunError("step 'Train interest model' failed")

    with pytest.raises(RunError, match="failed"):
        train_without(settings, erased(settings), fail)
    assert written(settings) == {"run": "", "live": 1, "learned": True, "versions": [1]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ann", "--strict", "--set", "epoch=1"], "epoch"),
        (["ann", "--set", "epochs=1"], "--set needs --strict"),
        (["ann", "--allow", "--strict"], "belong to an erasure"),
    ],
)
def test_wrong_arguments_end_the_command_before_anything_is_erased(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    result = CliRunner().invoke(app, ["forget", *arguments, "--home", str(tmp_path)])
    assert result.exit_code == 2
    assert message in result.output
    assert not (tmp_path / RECEIPTS).exists()


@pytest.mark.parametrize(
    ("setting", "value"),
    [("WEBHOOK_URL", "/no/file"), ("METRICS_TEXTFILES", "/no/folder"), ("COMPUTE", "local[1]")],
)
def test_a_wrong_setting_ends_the_command_before_anything_is_erased(
    setting: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"PENCHANT_{setting}", value)
    monkeypatch.setenv("JAVA_HOME", "/no/java")
    result = CliRunner().invoke(app, ["forget", "ann", "--strict", "--home", str(tmp_path)])
    assert (result.exit_code in (1, 2), f"PENCHANT_{setting}" in result.output) == (True, True)
    assert not (tmp_path / RECEIPTS).exists()


def test_a_home_on_kubeflow_is_not_trained_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENCHANT_KUBEFLOW", "http://127.0.0.1:9")
    result = CliRunner().invoke(app, ["forget", "ann", "--strict", "--home", str(tmp_path)])
    assert (result.exit_code, "--strict trains on this machine" in result.output) == (2, True)
    assert not (tmp_path / RECEIPTS).exists()


@pytest.mark.parametrize(
    ("policy", "last", "used"),
    [
        ("auto", "auto", "auto-unless-worse"),
        ("review", "auto", "review"),
        ("auto", "review", "review"),
    ],
)
def test_the_new_version_need_not_be_better_to_go_live(
    policy: str, last: str, used: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    policies: list[tuple[object, object, str]] = []
    # The last run that succeeded had other options than the defaults; a later one failed.
    options = {"protocol": "leave-one-out", "max_failed_share": 0.2, "undescribed_min_users": 0}
    statuses: list[Status] = ["succeeded", "failed"]
    for day, status in enumerate(statuses, 1):
        folder = settings.home / "runs" / f"2026010{day}-000000"
        folder.mkdir(parents=True)
        tuned = options | {"policy": last, "hyperparameters": {"epochs": 7, "dropout": 0.3 / day}}
        RunRecord(folder.name, "training", "2026-01-01T00:00:00+00:00", "ada", tuned, status).write(folder)

    def run(_: object, __: Settings, arguments: dict[str, object], started_by: str) -> Path:
        policies.append((arguments["policy"], arguments["hyperparameters"], started_by))
        assert {name: arguments[name] for name in options} == options
        go_live(settings, 2)
        return folder

    monkeypatch.setattr("pipelines.local_run.runner.run_locally", run)
    monkeypatch.setenv("PENCHANT_POLICY", policy)
    arguments = ["forget", "ann", "--strict", "--set", "epochs=1", "--home", str(settings.home)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert policies == [(used, {"epochs": 1, "dropout": 0.3}, "penchant forget --strict")]
    assert "The live version, 2, has learned from no erased user." in result.output.replace("\n", " ")
