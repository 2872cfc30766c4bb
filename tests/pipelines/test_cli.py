"""Each act tells how it is used, and what went wrong in one message with the right exit code."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.cli import FAILED, WRONG_USE, app

ACTS = ("run", "benchmark", "serve", "recommend", "record", "data", "compile", "schedule", "demo")
REVIEWS = ("list", "show", "approve", "reject", "rollback")


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("PENCHANT_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return CliRunner()


@pytest.mark.parametrize("act", [*((act,) for act in ACTS), *(("review", act) for act in REVIEWS)])
def test_every_act_has_help_that_says_what_it_does(runner: CliRunner, act: tuple[str, ...]) -> None:
    shown = runner.invoke(app, [*act, "--help"])

    assert shown.exit_code == 0
    assert len(shown.output.splitlines()) > 8


def test_help_needs_none_of_the_heavy_libraries() -> None:
    heavy = ("kfp", "mlflow", "tensorflow", "feast")
    code = f"import sys, pipelines.cli; print([m for m in {heavy} if m in sys.modules])"

    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "--dataset", "x", "--interactions", "y.csv"], WRONG_USE, "not both"),
        (["run", "--set", "epochs"], WRONG_USE, "expected name=value"),
        (["run", "--protocol", "guess"], WRONG_USE, "time"),
        (["run", "--no-such-option"], WRONG_USE, "--no-such-option"),
        (["schedule", "0 3 * * *"], WRONG_USE, "six fields"),
        (["serve"], FAILED, "penchant run"),
        (["recommend", "196", "--address", "127.0.0.1:1"], FAILED, "127.0.0.1:1"),
        (["review", "approve", "3"], FAILED, "no version 3"),
        (["review", "rollback"], FAILED, "nothing to roll back to"),
    ],
)
def test_a_mistake_gets_one_message_and_its_exit_code(
    runner: CliRunner, arguments: list[str], code: int, message: str
) -> None:
    result = runner.invoke(app, arguments)

    assert result.exit_code == code
    assert message in result.output
    assert "Traceback" not in result.output


def test_a_full_disk_is_told_with_the_next_step(runner: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipelines.runner.compile_pipeline", full)

    result = runner.invoke(app, ["compile"])

    assert result.exit_code == FAILED
    assert "No space left on device; free some space" in result.output


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], {"warm_start": True}),
        (["--set", "warm_start=false", "--set", "epochs=5"], {"warm_start": False, "epochs": 5}),
    ],
)
def test_what_is_scheduled_starts_from_the_last_training_unless_told_otherwise(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch, given: list[str], expected: dict[str, object]
) -> None:
    scheduled = []
    monkeypatch.setattr("pipelines.runner.schedule", lambda *asked: scheduled.append(asked[2]) or "a1")

    result = runner.invoke(app, ["schedule", "0 0 3 * * *", *given])

    assert "recurring run a1" in result.output
    assert scheduled[0]["hyperparameters"] == expected


def test_a_wrong_setting_is_wrong_use(runner: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENCHANT_POLICY", "maybe")

    result = runner.invoke(app, ["compile"])

    assert result.exit_code == WRONG_USE
    assert "PENCHANT_POLICY='maybe'" in result.output


def test_an_empty_registry_says_what_to_do(runner: CliRunner) -> None:
    result = runner.invoke(app, ["review", "list"])

    assert result.exit_code == 0
    assert "penchant run" in result.output


def test_compile_writes_both_pipelines(runner: CliRunner, tmp_path: Path) -> None:
    result = runner.invoke(app, ["compile", "--output", str(tmp_path / "compiled")])

    assert result.exit_code == 0
    written = sorted(path.name for path in (tmp_path / "compiled").iterdir())
    assert written == ["promotion.yaml", "training.yaml"]


def test_data_lists_the_sets_with_their_licence(runner: CliRunner) -> None:
    result = runner.invoke(app, ["data"])

    assert result.exit_code == 0
    for word in ("movielens-100k", "movielens-1m", "GroupLens", "100,000"):
        assert word in result.output
