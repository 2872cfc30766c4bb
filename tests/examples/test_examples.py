"""The examples run without changes and print what their text says."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.patience import HANG_S

FIRST_RECOMMENDER = Path(__file__).with_name("first_recommender.py")


def answers(output: str) -> dict[str, list[str]]:
    """Title of each answer -> its item ids."""
    sections = re.findall(r"^(\S.*) \(based on: \w+\)\n((?:  .+\n)*)", output, re.MULTILINE)
    return {title: [line.split()[0] for line in items.splitlines()] for title, items in sections}


def test_first_recommender_follows_the_purchases_of_a_new_user(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, str(FIRST_RECOMMENDER)],
        env={**os.environ, "PATH": path, "TUTORIAL_FOLDER": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=HANG_S,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    shown = answers(done.stdout)
    assert list(shown) == ["user-0", "a new user", "the new user after three purchases"]
    assert {item.split("-")[0] for item in shown["user-0"]} == {"tea"}
    assert len(shown["a new user"]) == 5
    assert {item.split("-")[0] for item in shown["the new user after three purchases"]} == {"bolts"}


def test_each_code_cell_of_the_first_recommender_follows_an_explanation() -> None:
    cells = re.findall(r"^# %%(.*)$", FIRST_RECOMMENDER.read_text(), re.MULTILINE)
    assert len(cells) > 10
    assert cells == [" [markdown]", ""] * (len(cells) // 2)
