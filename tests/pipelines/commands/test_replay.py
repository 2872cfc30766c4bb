"""`penchant replay`: the tables, and an unknown request id."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.commands.tables.replay import comparison_table, replay_sentence, replay_table
from serving.answers import Answer, Basis, Recommendation, Rule, Source
from serving.replay.answer_differences import ItemDifference, Term
from serving.replay.replayer import Replayed
from tests.components.evaluate_online.shown_world import write_log
from tests.serving.exposures.exposures import exposure


def test_an_unknown_request_id_is_wrong_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENCHANT_INTERACTION_LOG", write_log(tmp_path, [exposure("r1")], []))
    result = CliRunner().invoke(app, ["replay", "r2", "--home", str(tmp_path)])
    assert result.exit_code == 2
    assert "no answer to a request 'r2' is recorded" in " ".join(result.output.split())


def test_lines_of_the_recommenders_log_are_not_printed_beside_the_results() -> None:
    code = "import logging, pipelines.opened_replayer; logging.getLogger('serving.recommender').warning('x')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stderr == ""


def printed(*parts: object, width: int = 140) -> str:
    console = Console(width=width)
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    return capture.get()


def test_the_tables_show_what_differs() -> None:
    then = exposure("r1", items=["tea"])
    answer = Answer(
        [Recommendation("tea", "Green tea", [], 0.5, [Source.INTEREST], "")], 1, "r1", Basis.HISTORY
    )
    same = Replayed(answer, then)
    assert "the same answer, byte for byte" in replay_sentence(then, same)
    assert "ANOTHER ANSWER" in replay_sentence(then, Replayed(answer, replace(then, scores=[0.75])))
    assert "│ 1 │ tea        │ tea   │ Green tea │ 0.5000 │" in printed(replay_table(then, same))
    items = [
        ItemDifference("tea", "Green tea", 1, 2, 0.5, 0.25, [Term("ease", 0.5, 0.25)]),
        ItemDifference("milk", "Milk", None, 1, None, 1.0, [], rule_other=Rule.DIVERSITY),
    ]
    text = printed(comparison_table("release 1", "release 2", items))
    assert "ease +0.500 → +0.250" in text
    assert "│ Milk      │                    – (–) │                1 (1.000) │" in text
    assert "release 1: not ranked, or left out by a rule" in text
    assert "release 2: placed by diversity" in text
    terms = [ItemDifference("tea", "Green tea", 1, 2, 0.5, 0.25, [Term("interest_similarity", 0.5, 0.25)])]
    table = comparison_table("release 7, scenario content", "release 8, scenario none", terms)
    narrow = printed(table, width=80)
    assert "interest_simila" in narrow
    assert "…" not in narrow
