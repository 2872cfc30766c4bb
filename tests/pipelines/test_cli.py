"""Each command explains itself, and reports a mistake in one message with the right exit code."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperCommand, TyperGroup
from typer.testing import CliRunner

from pipelines.__main__ import main
from pipelines.cli import app
from pipelines.commands.errors import FAILED, WRONG_USE


def commands(command: object, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], TyperCommand]:
    """Path -> command, for each command that is not a group."""
    if isinstance(command, TyperCommand):
        return {path: command}
    assert isinstance(command, TyperGroup)
    return {
        child_path: entry
        for name, child in command.commands.items()
        for child_path, entry in commands(child, (*path, name)).items()
    }


COMMANDS = commands(typer.main.get_command(app))


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("PENCHANT_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return CliRunner()


@pytest.fixture
def empty_registry(empty_mlflow_database: Path, tmp_path: Path) -> None:
    """The home has a registry without versions, as MLflow makes it in seconds when there is none."""
    (tmp_path / "mlflow").mkdir()
    shutil.copy(empty_mlflow_database, tmp_path / "mlflow/mlflow.db")


def test_commands_are_all_registered() -> None:
    assert {path[-1] for path in COMMANDS if path[0] == "review"} == {
        "list", "show", "diff", "card", "approve", "reject", "rollback", "history", "prune", "watch",
    }  # fmt: skip
    assert {path[0] for path in COMMANDS} == {
        "demo", "run", "data", "benchmark", "serve", "recommend", "forecast", "record", "review", "compile",
        "submit", "runs", "schedule", "online", "replay", "experiment", "export", "forget",
        "preferences", "rotate-key", "home",
    }  # fmt: skip


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_describes_the_command_and_each_parameter(runner: CliRunner, path: tuple[str, ...]) -> None:
    result = runner.invoke(app, [*path, "--help"])

    command = COMMANDS[path]
    assert result.exit_code == 0
    assert command.help
    assert command.help.splitlines()[0] in result.output
    undocumented = [parameter.name for parameter in command.params if not getattr(parameter, "help", None)]
    assert undocumented == []


@pytest.mark.parametrize("path", [(), *COMMANDS], ids=lambda path: " ".join(path) or "penchant")
def test_help_shows_an_example_of_the_command(runner: CliRunner, path: tuple[str, ...]) -> None:
    shown_by = path[:1] if path[:1] == ("review",) else path
    result = runner.invoke(app, [*shown_by, "--help"])

    assert f"  {' '.join(('penchant', *path))}" in result.output


@pytest.mark.parametrize("path", [(), ("review",), *COMMANDS], ids=lambda path: " ".join(path) or "penchant")
def test_examples_fit_a_terminal_of_80_columns(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch, path: tuple[str, ...]
) -> None:
    wide = runner.invoke(app, [*path, "--help"]).output
    monkeypatch.setenv("COLUMNS", "80")
    narrow = runner.invoke(app, [*path, "--help"]).output

    examples = [line.strip() for line in wide.splitlines() if line.startswith("  penchant ")]
    assert examples or path[:1] == ("review",)
    assert [example for example in examples if example not in narrow] == []


def test_version_is_the_version_of_the_package(runner: CliRunner) -> None:
    assert runner.invoke(app, ["--version"]).output == f"penchant {version('penchant')}\n"


@pytest.mark.usefixtures("dead_proxy")
def test_a_command_sends_nothing_for_this_machine_to_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["penchant", "--version"])
    with pytest.raises(SystemExit, match="0"):
        main()
    assert os.environ["no_proxy"].split(",") == ["localhost", "127.0.0.1", "::1"]


def test_help_imports_no_heavy_library() -> None:
    heavy = ("kfp", "mlflow", "tensorflow", "feast", "pandas", "pyarrow")
    code = f"import sys, pipelines.cli; print([m for m in {heavy} if m in sys.modules])"

    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.usefixtures("empty_registry")
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "--dataset", "x", "--interactions", "y.csv"], WRONG_USE, "not both"),
        (["demo", "movielens-100k", "--interactions", "y.csv"], WRONG_USE, "not both"),
        (["run", "--set", "epochs"], WRONG_USE, "expected NAME=VALUE"),
        (["run", "--protocol", "guess"], WRONG_USE, "time"),
        (["recommend", "196", "--k", "0"], WRONG_USE, "--k"),
        (["run", "--no-such-option"], WRONG_USE, "--no-such-option"),
        (["schedule", "create", "0 3 * * *"], WRONG_USE, "PENCHANT_KUBEFLOW is not set"),
        (["serve"], FAILED, "penchant run"),
        (["recommend", "196", "--address", "127.0.0.1:1"], FAILED, "127.0.0.1:1"),
        (["record", "196", "50", "--address", "127.0.0.1:1"], FAILED, "127.0.0.1:1"),
        (["review", "approve", "3", "--reason", "better"], FAILED, "no version 3"),
        (["review", "rollback"], FAILED, "nothing to roll back to"),
    ],
)
def test_a_mistake_prints_one_message_and_sets_the_exit_code(
    runner: CliRunner, arguments: list[str], code: int, message: str
) -> None:
    result = runner.invoke(app, arguments)

    assert result.exit_code == code
    assert message in result.output
    assert "Traceback" not in result.output


def test_a_full_disk_prints_what_to_do(
    runner: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raise_disk_full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipelines.compilation.compile_pipeline", raise_disk_full)

    result = runner.invoke(app, ["compile", "--output", str(tmp_path)])

    assert result.exit_code == FAILED
    assert "No space left on device; free some disk space" in result.output


def test_a_wrong_setting_exits_like_a_wrong_option(
    runner: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENCHANT_POLICY", "maybe")

    result = runner.invoke(app, ["compile", "--output", str(tmp_path / "compiled")])

    assert result.exit_code == WRONG_USE
    assert not (tmp_path / "compiled").exists()
    assert "PENCHANT_POLICY='maybe'" in result.output


@pytest.mark.usefixtures("empty_registry")
def test_review_list_of_an_empty_registry_says_how_to_train(runner: CliRunner) -> None:
    result = runner.invoke(app, ["review", "list"])

    assert result.exit_code == 0
    assert "Train one: penchant run" in result.output


@pytest.mark.usefixtures("empty_registry")
def test_review_reject_asks_for_a_missing_reason(runner: CliRunner) -> None:
    result = runner.invoke(app, ["review", "reject", "3"], input="too few items\n")

    assert "Reason:" in result.output
    assert "no version 3" in result.output


def test_compile_writes_both_pipelines(runner: CliRunner, tmp_path: Path) -> None:
    result = runner.invoke(app, ["compile", "--output", str(tmp_path / "compiled")])

    assert result.exit_code == 0
    files = sorted(path.name for path in (tmp_path / "compiled").iterdir())
    assert files == ["promotion.yaml", "training.yaml"]


def test_data_lists_each_data_set_with_its_licence(runner: CliRunner) -> None:
    result = runner.invoke(app, ["data"])

    assert result.exit_code == 0
    for text in ("movielens-100k", "movielens-1m", "GroupLens", "100,000"):
        assert text in result.output
