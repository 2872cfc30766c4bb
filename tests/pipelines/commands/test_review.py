"""`penchant review show`, `diff` and `card`: tables, pages, and a clear end without a dossier."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from components.errors import StepError
from components.register_release.registered_version import Version
from components.register_release.review_history import Record
from pipelines.cli import app
from serving.release.published_versions import PublishedVersions
from serving.release.tainted_versions import taint
from tests.components.evaluate_release.dossier.fake_tracking import fake_client
from tests.components.evaluate_release.dossier.stored import USERS, stored
from tests.components.evaluate_release.dossier.test_page import page

REJECTED = Record(1, "2026-11-28T12:00:00.000+00:00", "rejected", 2, "ada", "too many sequels", None, None)


class FakeRegistry:
    """Version n has the MLflow run "n"."""

    def __init__(self, root: Path) -> None:
        self.tracking, self.client = fake_client(root)
        self.history = SimpleNamespace(records=lambda: [REJECTED])

    def version(self, number: int) -> Version:
        if number > 3:
            raise StepError(f"no version {number}")
        return Version(number, str(number), 0.0, [], {})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with version 1 without a dossier, and 2 and 3 with one."""
    registry = FakeRegistry(tmp_path / "mlflow")
    (registry.tracking.folder("1") / "metrics.json").write_text("{}")
    for number, ranks in ((2, 3), (3, np.where(USERS % 2, 9, 3))):
        folder = registry.tracking.folder(str(number))
        stored(ranks).write(folder)
        (folder / "dossier.json").write_text(json.dumps(page()))
        (folder / "details.html").write_text("")
    monkeypatch.setattr("pipelines.review.decisions.open_registry", lambda settings: registry)
    monkeypatch.setattr("typer.launch", opened.append)
    opened.clear()
    home = tmp_path / "home"
    home.mkdir()
    return home


opened: list[str] = []


def run(home: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["review", *arguments, "--home", str(home)])
    return result.exit_code, " ".join(result.output.split())


def test_show_prints_the_verdict_and_the_decisions_and_opens_the_page(home: Path) -> None:
    code, output = run(home, "show", "2", "--open")
    assert code == 0
    assert output.startswith("Not shown to be better than the live version")
    assert "too many sequels" in output
    file = home / "review" / "version-2.html"
    assert opened == [str(file)]
    assert "<h1>Version 2</h1>" in file.read_text()
    assert "too many sequels" in file.read_text()


def test_show_lists_the_files_of_a_version_without_a_dossier(home: Path) -> None:
    code, output = run(home, "show", "1")
    assert code == 0
    assert "Version 1 has no dossier" in output
    assert "metrics.json" in output
    assert opened == []


def test_diff_compares_any_two_versions(home: Path) -> None:
    code, output = run(home, "diff", "2", "3")
    assert code == 0
    assert output.startswith("Version 3 is worse than version 2")
    assert "<h1>Version 3 against version 2</h1>" in (home / "review" / "versions-2-3.html").read_text()


def test_diff_of_a_version_without_a_dossier_says_what_is_missing(home: Path) -> None:
    code, output = run(home, "diff", "1", "2")
    assert code == 1
    assert "version 1 can't be compared" in output
    assert run(home, "diff", "2", "9")[0] == 1


def test_a_version_is_not_compared_with_itself(home: Path) -> None:
    code, output = run(home, "diff", "2", "2")
    assert code == 2
    assert "give two versions" in output


def test_card_prints_markdown_with_the_decisions_and_the_erased_users(home: Path) -> None:
    taint(PublishedVersions(str(home / "releases")), [2], 4)
    code, output = run(home, "card", "2")
    assert code == 0
    assert output.startswith("# Model card: version 2")
    assert "rejected by ada: too many sequels" in output
    assert "(receipts 4)" in output
    code, output = run(home, "card", "2", "--for-users")
    assert (code, output.startswith("# How these recommendations come about")) == (0, True)
    code, output = run(home, "card", "1")
    assert code == 1
    assert "version 1 has no dossier" in output


@pytest.mark.parametrize("given", [(), ("--reason", "  ")])
@pytest.mark.parametrize("command", ["approve", "reject"])
def test_a_decision_without_a_reason_says_so_where_nobody_can_be_asked(
    home: Path, command: str, given: tuple[str, ...]
) -> None:
    expected = "--reason: expected a text; the review history keeps it with the decision"
    code, output = run(home, command, "2", *given)
    assert (code, output.removeprefix("Reason: ")) == (2, expected)
