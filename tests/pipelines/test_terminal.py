"""What came from data reaches the terminal as text: no markup, no control characters, no traceback."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from rich import rule
from rich.table import Table
from rich.text import Text
from typer.testing import CliRunner

import pipelines
from pipelines.cli import app
from pipelines.commands import errors, serving
from pipelines.terminal import Terminal
from serving.answers import Answer, Basis, Degradation, DislikeEffect, Fallback, Recommendation, Rule, Stage
from serving.answers import Removed as RemovedItem
from serving.errors import Unavailable

HOSTILE = (
    "Foo [/bar] [bold]baz[/] :smile: \x1b]0;title\x1b\\\x1b[31m\x9b32m\x1b]8;;http://a\x1b\\\u202e\ud800"
)
SHOWN = r"Foo [/bar] [bold]baz[/] :smile: \x1b]0;title\x1b\\x1b[31m\x9b32m\x1b]8;;http://a\x1b\\u202e\ud800"

UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]")


def printed(renderable: Any, **options: Any) -> str:
    console = Terminal(width=400)
    with console.capture() as capture:
        console.print(renderable, **options)
    return capture.get()


@pytest.mark.parametrize(
    "renderable", [HOSTILE, Text(HOSTILE), rule.Rule(HOSTILE)], ids=["str", "Text", "Rule"]
)
def test_markup_and_control_characters_are_shown(renderable: Any) -> None:
    output = printed(renderable)
    assert SHOWN in output
    assert not UNSAFE.search(output)


def test_tables_show_them_in_every_part() -> None:
    table = Table(HOSTILE, title=HOSTILE, caption=HOSTILE)
    table.add_row(HOSTILE)
    output = printed(table)
    assert output.count(SHOWN) == 4
    assert not UNSAFE.search(output)


def test_a_huge_value_is_cut() -> None:
    table = Table("title")
    table.add_row("x" * 5_000_000)
    assert "(4,990,000 more" in printed(table).replace("\n", "")


class FakeRecommender:
    """Answers with HOSTILE in every text."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error

    def __enter__(self) -> "FakeRecommender":
        return self

    def __exit__(self, *_: object) -> None: ...

    def record(self, *_: Any, **__: Any) -> str:
        return HOSTILE

    def recommend(self, *_: Any, **__: Any) -> Answer:
        if self._error:
            raise self._error
        item = Recommendation(HOSTILE, HOSTILE, [HOSTILE], 1.0, [], HOSTILE, {HOSTILE: 1.0}, [HOSTILE])
        return Answer(
            [item],
            release_version=1,
            request_id=HOSTILE,
            basis=Basis.TRENDING,
            degraded=[Degradation(Stage.HISTORY, HOSTILE, Fallback.TRENDING)],
            removed=[RemovedItem(HOSTILE, HOSTILE, 1.0, Rule.SEEN)],
            dislike_effects=[DislikeEffect(HOSTILE, HOSTILE, [HOSTILE])],
        )


@pytest.fixture
def recommender(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeRecommender(getattr(request, "param", None))
    monkeypatch.setattr(serving, "connect", lambda *_: fake)
    for name in ("out", "err"):
        console: Any = Terminal(width=400, stderr=name == "err")
        for module in (errors, serving):
            monkeypatch.setattr(module, name, console, raising=False)


@pytest.mark.parametrize(
    "command",
    [["recommend", "u"], ["recommend", "u", "--explain"], ["recommend", "u", "--json"], ["record", "u", "i"]],
    ids=" ".join,
)
def test_the_commands_of_serving_show_hostile_data(recommender: None, command: list[str]) -> None:
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.exception
    assert "[/bar]" in result.output
    assert not UNSAFE.search(result.output)


@pytest.mark.parametrize("recommender", [Unavailable(HOSTILE), ValueError(HOSTILE)], indirect=True, ids=repr)
def test_an_error_with_hostile_data_is_one_message(recommender: None) -> None:
    result = CliRunner().invoke(app, ["recommend", "u"])
    assert result.exit_code in (1, 2)
    assert SHOWN in result.output
    assert not UNSAFE.search(result.output)


def test_every_command_prints_with_the_terminal() -> None:
    """Only the terminal makes a console, and only JSON, the version and model cards are printed past it.

    `penchant runs logs` removes the escape codes of a log, and prints what is left.
    """
    files = sorted(Path(next(iter(pipelines.__path__))).rglob("*.py"))
    assert len(files) > 20
    past = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                if name in (
                    "Console",
                    "print",
                    "typer.echo",
                    "typer.secho",
                    "Text.from_markup",
                    "Text.from_ansi",
                ):
                    past.add((file.name, name))
    printing = {(f"{name}.py", "typer.echo") for name in ("cli", "dossiers", "privacy", "serving")}
    # of a step, whose output kfp reads
    processes = {("step_process.py", "print"), ("fork_server.py", "print")}
    expected = {*printing, *processes, ("runs.py", "Text.from_ansi")}
    assert past == expected
