"""From a person's own files to a gRPC answer that follows what is recorded, as that person would do it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from pipelines.serving_processes import serve_live_release
from pipelines.settings import Settings, load_settings
from serving.client import Recommender
from serving.release.release_store import ReleaseStore
from tests.end_to_end.shop import write_shop
from tests.patience import HANG_S

PENCHANT = Path(sys.executable).with_name("penchant")

# Small, so that the whole way takes half a minute.
QUICK = ["--set", "epochs=4", "--set", "embedding_size=16", "--set", "units=16"]


def penchant(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PENCHANT_HOME": str(home), "COLUMNS": "160"}
    return subprocess.run(
        [str(PENCHANT), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_S,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home after the first run on the shop's files."""
    folder = tmp_path_factory.mktemp("shop")
    files = write_shop(folder / "files")
    sources = [argument for name, file in files.items() for argument in (f"--{name}", str(file))]
    done = penchant("run", *sources, *QUICK, home=folder / "home")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "home"


@pytest.fixture(scope="module")
def settings(home: Path) -> Settings:
    return load_settings(home=home)


@pytest.fixture(scope="module")
def recommender(settings: Settings) -> Iterator[Recommender]:
    with (
        serve_live_release(settings, 0, 0) as processes,
        Recommender(processes.recommender, HANG_S) as client,
    ):
        yield client


def tastes(answer: object) -> list[str]:
    return [item.item_id.split("-")[0] for item in answer.recommendations]  # type: ignore[attr-defined]


def test_a_better_release_goes_live_by_itself(settings: Settings) -> None:
    assert ReleaseStore(settings.releases).live() == 1


def test_the_answer_keeps_to_the_users_taste(recommender: Recommender) -> None:
    answer = recommender.recommend("u0", k=5)

    assert answer.release_version == 1
    assert answer.basis == "history"
    assert answer.degraded == []
    assert tastes(answer) == ["tea"] * 5
    assert all(item.title.startswith("Tea") and item.reason for item in answer.recommendations)


def test_the_answer_follows_what_is_recorded(recommender: Recommender) -> None:
    for number in (3, 4, 5):
        recommender.record("newcomer", f"tea-{number}", event_type="purchase")
    assert tastes(recommender.recommend("newcomer", k=3)) == ["tea"] * 3

    for number in (3, 4, 5, 6, 7):
        recommender.record("newcomer", f"bolts-{number}", event_type="purchase")
    assert tastes(recommender.recommend("newcomer", k=3)) == ["bolts"] * 3


def test_an_unknown_user_gets_what_is_popular(recommender: Recommender) -> None:
    answer = recommender.recommend("nobody", k=4)

    assert len(answer.recommendations) == 4
    assert answer.basis in ("profile", "trending")


def test_the_next_run_learns_what_was_recorded_and_the_service_takes_it_up(
    home: Path, settings: Settings, recommender: Recommender
) -> None:
    recommender.record("latecomer", "tea-1", event_type="purchase", interaction_id="late-1")

    done = penchant("run", *QUICK, "--set", "warm_start=true", "--policy", "review", home=home)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warm start from weights that know 30 of 30 items" in done.stdout
    assert ReleaseStore(settings.releases).live() == 1
    listed = penchant("review", "list", home=home).stdout
    assert "candidate" in listed

    approved = penchant("review", "approve", "2", "--by", "ada", home=home)
    assert approved.returncode == 0, approved.stdout + approved.stderr
    assert wait_for_version(recommender, 2)

    rolled_back = penchant("review", "rollback", "--by", "ada", home=home)
    assert "version 1 is live" in rolled_back.stdout
    assert wait_for_version(recommender, 1)


def wait_for_version(recommender: Recommender, version: int) -> bool:
    """Whether the service answers with `version` within ten seconds."""
    import time

    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if recommender.recommend("u1", k=1).release_version == version:
            return True
        time.sleep(0.1)
    return False


def test_a_rejected_version_keeps_its_reason(home: Path) -> None:
    penchant("review", "reject", "2", "--by", "ada", "--reason", "too many bolts", home=home)

    assert "too many bolts" in penchant("review", "show", "2", home=home).stdout
    refused = penchant("review", "approve", "7", home=home)
    assert refused.returncode == 1
    assert "no version 7" in refused.stderr


def test_the_evaluation_is_honest_about_its_baselines(home: Path) -> None:
    first = sorted((home / "runs").glob("*/steps/*/evaluate-release/evaluation/metrics.json"))[0]
    figures = json.loads(first.read_text())["metrics"]

    assert figures["ndcg_at_10"] > figures["popularity_ndcg_at_10"]
    assert 0 <= figures["hr_at_10"] <= 1


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_serving_ends_when_asked_and_leaves_nothing_running(home: Path, ending: signal.Signals) -> None:
    environment = {**os.environ, "PENCHANT_HOME": str(home)}
    command = [str(PENCHANT), "serve", "--port", "0", "--model-port", "0"]
    # A suite that runs in the background ignores Ctrl-C, and its children would too.
    heeding = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, preexec_fn=heeding
    ) as served:
        try:
            assert served.stdout
            ports = [int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", served.stdout.readline())]
            served.send_signal(ending)
            served.communicate(timeout=HANG_S)
        finally:
            served.terminate()
    assert served.returncode == 0
    assert len(ports) == 2
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=HANG_S)
