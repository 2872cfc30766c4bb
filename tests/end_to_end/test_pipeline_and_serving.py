"""From a user's own files to answers that follow what is recorded, in one home, in this order.

Train, answer, record, train again, review, kill runs, train once more.
"""

import json
import re
import signal
import socket
import subprocess
from functools import partial
from pathlib import Path

import pytest

from serving.answers import Answer
from serving.client import Recommender
from serving.release.release_store import ReleaseStore
from tests.end_to_end.commands import PENCHANT, WITHOUT_XLA, environment, kill_run, penchant, train
from tests.patience import HANG_S, wait_until


def categories(answer: Answer) -> list[str]:
    return [item.item_id.split("-")[0] for item in answer.recommendations]


def wait_for_version(recommender: Recommender, version: int) -> None:
    """Wait until the recommender answers with release `version`."""
    wait_until(lambda: recommender.recommend("u1", k=1).release_version == version)


def test_first_run_publishes_its_release(store: ReleaseStore) -> None:
    assert store.live() == 1


def test_evaluation_ranks_the_release_above_popularity(home: Path) -> None:
    (file,) = home.glob("runs/*/steps/*/evaluate-release/evaluation/metrics.json")
    metrics = json.loads(file.read_text())["metrics"]

    assert metrics["ndcg_at_10"] > metrics["popularity_ndcg_at_10"]
    assert 0 <= metrics["hr_at_10"] <= 1


def test_recommender_answers_from_the_users_category(recommender: Recommender) -> None:
    answer = recommender.recommend("u0", k=5)

    assert answer.release_version == 1
    assert answer.basis == "history"
    assert answer.degraded == []
    assert categories(answer) == ["tea"] * 5
    assert all(item.title.startswith("Tea") and item.reason for item in answer.recommendations)


def test_recommender_follows_what_a_new_user_records(recommender: Recommender) -> None:
    for number in (3, 4, 5):
        recommender.record("newcomer", f"tea-{number}", event_type="purchase")
    assert categories(recommender.recommend("newcomer", k=3)) == ["tea"] * 3

    for number in (3, 4, 5, 6, 7):
        recommender.record("newcomer", f"bolts-{number}", event_type="purchase")
    assert categories(recommender.recommend("newcomer", k=3)) == ["bolts"] * 3


def test_recommender_answers_an_unknown_user_with_popular_items(recommender: Recommender) -> None:
    answer = recommender.recommend("nobody", k=4)

    assert len(answer.recommendations) == 4
    assert answer.basis in ("profile", "trending")


def test_second_run_starts_from_the_first_and_waits_for_review(
    home: Path, store: ReleaseStore, recommender: Recommender
) -> None:
    recommender.record("latecomer", "tea-1", event_type="purchase", interaction_id="late-1")

    output = train("--set", "warm_start=true", "--policy", "review", *WITHOUT_XLA, home=home)

    assert re.search(r"warm start.* 30 of 30 items", output)
    assert store.live() == 1
    assert "candidate" in penchant("review", "list", home=home).stdout


def test_recommender_swaps_to_an_approved_release_and_back(home: Path, recommender: Recommender) -> None:
    approved = penchant("review", "approve", "2", "--by", "ada", home=home)
    assert approved.returncode == 0, approved.stdout + approved.stderr
    wait_for_version(recommender, 2)

    rolled_back = penchant("review", "rollback", "--by", "ada", home=home)
    assert "version 1 is live" in rolled_back.stdout
    wait_for_version(recommender, 1)


def test_review_keeps_the_reason_of_a_rejection(home: Path) -> None:
    penchant("review", "reject", "2", "--by", "ada", "--reason", "too many bolts", home=home)

    assert "too many bolts" in penchant("review", "show", "2", home=home).stdout


def test_review_refuses_a_version_that_does_not_exist(home: Path) -> None:
    refused = penchant("review", "approve", "7", home=home)

    assert refused.returncode == 1
    assert "no version 7" in refused.stderr


# A step that checks, one that trains and one that publishes, each with a line that it prints midway.
KILLS = {
    "Validate interactions": "Got executor_input",
    "Train interest model": "epoch 1/4",
    "Push release": "interests of",
}


@pytest.mark.parametrize("step", KILLS)
def test_a_killed_run_leaves_the_live_release(
    step: str, home: Path, store: ReleaseStore, recommender: Recommender
) -> None:
    before = store.live()
    assert before is not None

    kill_run(step, KILLS[step], home)

    assert store.live() == before
    store.open(before)
    assert recommender.recommend("u0").release_version == before


def test_the_run_after_killed_runs_goes_live(
    home: Path, store: ReleaseStore, recommender: Recommender
) -> None:
    before = store.live()

    train(*WITHOUT_XLA, home=home)

    after = store.live()
    assert before is not None
    assert after is not None
    assert after > before
    wait_for_version(recommender, after)
    # What a killed push left in the folder is not listed as a version.
    names = [path.name for path in Path(store.root, "interest").iterdir()]
    assert str(after) in names
    assert all(name.isdigit() or name.startswith(".") for name in names)


def test_runs_with_the_same_input_give_the_same_figures(home: Path) -> None:
    """The last two runs, one of them killed after its evaluation, had the same input."""
    tables = sorted(home.glob("runs/*/steps/*/evaluate-release/evaluation/metrics.csv"))[-2:]
    killed, last = (
        [row for row in table.read_text().splitlines() if not row.startswith('"live"')] for table in tables
    )

    assert len(last) > 1
    assert killed == last


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_ends_on_a_signal_and_leaves_no_server_running(home: Path, number: signal.Signals) -> None:
    # A suite that runs in the background ignores SIGINT, and so would its children.
    heed_interrupts = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        [str(PENCHANT), "serve", "--port", "0", "--model-port", "0"],
        env=environment(home),
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    ) as served:
        try:
            assert served.stdout
            ports = [int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", served.stdout.readline())]
            served.send_signal(number)
            served.communicate(timeout=HANG_S)
        finally:
            served.terminate()
    assert served.returncode == 0
    assert len(ports) == 2
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=HANG_S)
