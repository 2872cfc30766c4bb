"""Whatever a person types: one message without control characters, and an exit code; no traceback."""

import shutil
from pathlib import Path

import pytest
from typer.core import TyperCommand
from typer.testing import CliRunner

from pipelines.cli import app
from tests.pipelines.test_cli import COMMANDS

MARKUP = "[/bold]\x1b]0;title\x07\x9b31m{}%s\u202e"
HUGE = "9" * 100_000
CONTROL = "\x1b\x07\x9b\u202e"

# They would train, serve until Ctrl-C, or write a file of that name.
STARTING = {("demo",), ("run",), ("benchmark",), ("serve",), ("compile",)}
CASES = {path: command for path, command in COMMANDS.items() if path not in STARTING}


@pytest.fixture
def runner(tmp_path: Path, empty_mlflow_database: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    (tmp_path / "mlflow").mkdir()
    shutil.copy(empty_mlflow_database, tmp_path / "mlflow")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PENCHANT_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return CliRunner()


def hostile(path: tuple[str, ...], command: TyperCommand) -> list[list[str]]:
    """Return the arguments of calls: one with all required ones, then one for each option that takes text."""
    required = [p for p in command.params if p.param_type_name == "argument" and p.required]
    options = [
        p.opts[-1]
        for p in command.params
        if p.param_type_name == "option" and not getattr(p, "is_flag", False)
    ]
    calls = [[*path, *[value] * len(required)] for value in (MARKUP, HUGE) if required]
    return calls + [
        [*path, *["7"] * len(required), f"{option}={MARKUP}"]
        for option in options
        if option.startswith("--") and option != "--home"  # each home would get an MLflow database
    ]


def test_the_commands_have_many_options_that_take_text() -> None:
    assert sum(len(hostile(path, command)) for path, command in CASES.items()) > 60


@pytest.mark.parametrize("path", CASES, ids=" ".join)
def test_a_hostile_argument_gets_a_message_without_control_characters(
    runner: CliRunner, path: tuple[str, ...]
) -> None:
    for arguments in hostile(path, CASES[path]):
        result = runner.invoke(app, arguments, input="")

        assert result.exception is None or isinstance(result.exception, SystemExit), arguments
        assert result.exit_code in (0, 1, 2), arguments
        assert not set(CONTROL) & set(result.output), arguments
        assert "Traceback" not in result.output, arguments
        assert len(result.output) < 20_000, arguments
