"""A run that is killed in any step leaves the live release as it was, and the next run works."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from pipelines.settings import load_settings
from serving.release.release_store import ReleaseStore
from tests.end_to_end.shop import write_shop
from tests.end_to_end.test_whole_way import PENCHANT, QUICK, penchant

# A step of each kind: one that checks, one that trains, one that publishes.
STEPS = ("Validate interactions", "Train interest model", "Push release")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("survival")
    files = write_shop(folder / "files")
    done = penchant("run", "--interactions", str(files["interactions"]), *QUICK, home=folder / "home")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "home"


def kill_in(step: str, home: Path) -> None:
    """Start a run, and kill every process of it with SIGKILL once `step` is under way."""
    environment = {**os.environ, "PENCHANT_HOME": str(home)}
    known = set(home.glob("runs/*/run.log"))
    task = step.lower().replace(" ", "-")
    with subprocess.Popen(
        [str(PENCHANT), "run", *QUICK], env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    ) as run:
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            logs = set(home.glob("runs/*/run.log")) - known
            if any(f"Executing task \x1b[96m'{task}'" in log.read_text() for log in logs):
                time.sleep(0.7)  # into the step, not at its door
                break
            time.sleep(0.05)
        os.killpg(run.pid, signal.SIGKILL)
    assert run.returncode == -signal.SIGKILL, f"the run ended before {step}"


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_leaves_the_live_release(step: str, home: Path) -> None:
    store = ReleaseStore(load_settings(home=home).releases)
    before = store.live()
    assert before is not None

    kill_in(step, home)

    assert store.live() == before
    store.open(before)


def test_the_run_after_the_kills_goes_live(home: Path) -> None:
    store = ReleaseStore(load_settings(home=home).releases)
    before = store.live()

    done = penchant("run", *QUICK, home=home)

    assert done.returncode == 0, done.stdout + done.stderr
    after = store.live()
    assert before is not None
    assert after is not None
    assert after > before
    # What a killed push left beside the versions is not taken for one.
    assert all(
        path.name.isdigit() or path.name.startswith(".") for path in Path(store.root, "interest").iterdir()
    )


def test_a_second_run_with_the_same_input_gives_the_same_figures(home: Path) -> None:
    """Every run after the first had the same input: files known, nothing recorded."""
    documents = sorted(home.glob("runs/*/steps/*/evaluate-release/evaluation/metrics.csv"))
    tables = [document.read_text() for document in documents]
    rows = [
        [row for row in table.splitlines() if not row.startswith('"live"')]  # the live version may differ
        for table in tables
    ]

    assert len(rows) >= 2
    assert all(table == rows[0] for table in rows)
