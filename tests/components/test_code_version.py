"""The commit comes from the repository, or in an image from the variable that its build sets."""

import subprocess
from pathlib import Path

import pytest

from components import code_version
from components.code_version import VARIABLE, current_commit
from tests.infra.conftest import INFRA, ROOT


def test_the_commit_of_the_repository_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "of-the-image")
    head = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()

    commit = current_commit()

    assert commit
    assert commit.removesuffix("-dirty") == head


def test_an_image_says_from_which_commit_it_was_built(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(code_version, "__file__", str(tmp_path / "code_version.py"))
    monkeypatch.delenv(VARIABLE, raising=False)
    assert current_commit() is None

    monkeypatch.setenv(VARIABLE, "0123abc")
    assert current_commit() == "0123abc"


def test_each_image_that_trains_takes_the_commit() -> None:
    dockerfile = (INFRA / "images" / "python.Dockerfile").read_text()
    assert dockerfile.count(f"ARG {VARIABLE}=\nENV {VARIABLE}=${{{VARIABLE}}}\n") == 3
