"""From a user's own files to answers that follow what is recorded, in one home, in this order.

The tutorial, answer, record, kill runs, the demo with more files, roll back, reject, approve.
"""

import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
from contextlib import closing
from pathlib import Path

import pytest

from components.report_run.run_metrics import VERDICTS
from feature_repo.contract import FORECAST, SIGNATURES
from pipelines.local_run.runs import LocalRuns
from pipelines.settings import load_settings
from serving.answers import Answer
from serving.client import Recommender
from serving.release.release_store import ReleaseStore
from serving.user_data.interaction_log import InteractionLog
from tests.chromium import rendered_html
from tests.end_to_end.commands import (
    SMALL_MODEL,
    Served,
    is_free,
    kill,
    penchant,
    served_addresses,
)
from tests.patience import HANG_S, wait_until


def categories(answer: Answer) -> list[str]:
    return [item.item_id.split("-")[0] for item in answer.recommendations]


def wait_for_version(recommender: Recommender, version: int) -> None:
    """Wait until the recommender answers with release `version`."""
    wait_until(lambda: recommender.recommend("u1", k=1).release_version == version)


def shown_items(output: str) -> dict[str, list[str]]:
    """Title of each answer that the tutorial prints -> its item ids."""
    sections = re.findall(r"^(\S.*) \(based on: \w+\)\n((?:  .+\n)*)", output, re.MULTILINE)
    return {title: [line.split()[0] for line in items.splitlines()] for title, items in sections}


def test_the_tutorial_shows_that_answers_follow_a_new_users_purchases(tutorial: str) -> None:
    shown = shown_items(tutorial)

    assert list(shown) == ["user-0", "a new user", "the new user after three purchases"]
    assert {item.split("-")[0] for item in shown["user-0"]} == {"tea"}
    assert len(shown["a new user"]) == 5
    assert {item.split("-")[0] for item in shown["the new user after three purchases"]} == {"bolts"}


def test_first_run_publishes_its_release_and_is_recorded(home: Path, store: ReleaseStore) -> None:
    assert store.live() == 1
    (run,) = LocalRuns(home).newest(2)
    assert (run.state, run.steps[-1].name) == ("succeeded", "Push release")
    assert (run.facts["rows"], run.facts["version"], run.facts["live"]) == ("800", "1", "yes")
    assert run.facts["verdict"] in VERDICTS


# Loads the live version from the MLflow database that it is given, and predicts its input example.
PYFUNC = """
import json
import sys
import mlflow
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/penchant@live")
outputs = model.predict(model.input_example)
print(json.dumps({name: str(array.dtype) for name, array in outputs.items()}))
"""


def test_mlflow_loads_the_live_version_without_this_project(home: Path, tmp_path: Path) -> None:
    # Python with -S reads no .pth files, so the project's own packages are not importable.
    done = subprocess.run(
        [sys.executable, "-S", "-c", PYFUNC, load_settings(home=home).tracking_uri],
        env={**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_S,
    )

    assert done.returncode == 0, done.stderr
    dtypes = json.loads(done.stdout.splitlines()[-1])
    assert dtypes == SIGNATURES["serving_default"]["outputs"] | {FORECAST: "float32"}


def test_evaluation_ranks_the_release_above_popularity(home: Path) -> None:
    (file,) = home.glob("runs/*/steps/*/evaluate-release/evaluation/metrics.json")
    metrics = json.loads(file.read_text())["metrics"]

    assert metrics["ndcg_at_10"] > metrics["popularity_ndcg_at_10"]
    assert 0 <= metrics["hr_at_10"] <= 1


def test_recommender_answers_from_the_users_category(recommender: Recommender) -> None:
    answer = recommender.recommend("user-0", k=5)

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


def assert_serves(store: ReleaseStore, recommender: Recommender, version: int) -> None:
    assert store.live() == version
    store.open(version)
    assert recommender.recommend("user-0").release_version == version


@pytest.mark.parametrize(
    ("step", "line"),
    [("Validate interactions", "Got executor_input"), ("Train interest model", "epoch 1/4")],
)
def test_a_killed_run_leaves_the_live_release(
    step: str, line: str, home: Path, store: ReleaseStore, recommender: Recommender
) -> None:
    kill("run", *SMALL_MODEL, step=step, line=line, home=home)

    assert_serves(store, recommender, 1)


@pytest.fixture(scope="module")
def recorded(home: Path, recommender: Recommender) -> int:
    """The number of interactions in the log before the demo, at least one."""
    recommender.record("latecomer", "tea-1", event_type="purchase", interaction_id="late-1")
    with closing(InteractionLog(load_settings(home=home).interaction_log)) as log:
        return log.depth(0)


@pytest.fixture(scope="module")
def demo(branch: list[str], home: Path, recommender: Recommender, recorded: int) -> str:
    """What the demo prints in the tutorial's home; it adds a second source and starts warm."""
    recommender.recommend("user-0", k=5, request_id="before the run")
    done = penchant("demo", "--visits", "40", *SMALL_MODEL, *branch, home=home)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_second_run_adds_files_and_the_log_and_starts_from_the_first(demo: str, recorded: int) -> None:
    # 800 of the tutorial's file, 1,440 of the shop's
    assert f"snapshot: {800 + 1_440 + recorded:,} interactions, 24 items" in demo
    assert re.search(r"warm start.* 24 of 24 items", demo)


def test_the_demo_takes_every_step_in_order(demo: str) -> None:
    landmarks = [
        "Step 1 of 5",
        "✓ Register release",
        "Step 2 of 5",
        "version 2 is live",
        "Step 3 of 5",
        ", before",
        "recorded: user",
        "after the three interactions",
        "Step 4 of 5: simulate 40 visits",
        "interleaving demo-",
        "only one ranking would have picked, narrower has",
        "Step 5 of 5",
        "NDCG@10",
        "Next steps",
    ]
    rest = demo
    for landmark in landmarks:
        _, found, rest = rest.partition(landmark)
        assert found, landmark


def test_the_demos_answer_follows_the_recorded_interactions(demo: str) -> None:
    (line,) = (line for line in demo.splitlines() if " in the top 10: " in line)
    match = re.fullmatch(r"\w+ in the top 10: (\d+) items before, (\d+) after\.", line)
    assert match
    assert int(match[2]) > int(match[1])


def test_the_demos_table_of_metrics_shows_every_model(demo: str) -> None:
    table = demo.partition("Step 5 of 5")[2]
    cells = [line.strip("│").split("│") for line in table.splitlines() if line.startswith("│")]
    rows = {model.strip(): figures for model, *figures in cells}
    assert {"served", "interest", "transitions", "popularity"} <= rows.keys()
    for figures in rows.values():
        assert all(0 <= float(figure) <= 1 for figure in figures)


@pytest.mark.usefixtures("demo")
def test_an_answer_of_before_the_run_is_given_again(home: Path) -> None:
    replayed = penchant("replay", "before the run", home=home)

    assert "release 1, history: the same answer, byte for byte" in replayed.stdout, replayed.stderr


@pytest.mark.usefixtures("demo")
def test_the_release_after_killed_runs_goes_live(store: ReleaseStore, recommender: Recommender) -> None:
    assert store.live() == 2
    wait_for_version(recommender, 2)


def test_the_recommender_swaps_to_the_version_before_after_a_rollback(
    home: Path, store: ReleaseStore, recommender: Recommender
) -> None:
    rolled_back = penchant("review", "rollback", "--by", "ada", home=home)

    assert "version 1 is live" in rolled_back.stdout
    wait_for_version(recommender, 1)
    assert store.live_record()["pinned"]


def test_review_keeps_the_reason_of_a_rejection(home: Path) -> None:
    penchant("review", "reject", "2", "--by", "ada", "--reason", "too many bolts", home=home)

    assert "too many bolts" in penchant("review", "show", "2", home=home).stdout


def test_a_killed_approval_leaves_the_live_release(
    home: Path, store: ReleaseStore, recommender: Recommender
) -> None:
    kill("review", "approve", "2", "--by", "ada", "--reason", "better", home=home)

    assert_serves(store, recommender, 1)
    killed = LocalRuns(home).newest(1)[0]
    assert (killed.name, killed.state, killed.steps[-1].state) == ("promotion", "killed", "killed")


def test_the_recommender_swaps_to_a_version_that_is_approved_after_its_rejection(
    home: Path, recommender: Recommender
) -> None:
    approved = penchant("review", "approve", "2", "--by", "ada", "--reason", "better", home=home)

    assert approved.returncode == 0, approved.stdout + approved.stderr
    wait_for_version(recommender, 2)


def test_a_killed_command_leaves_nothing_that_is_listed_as_a_version(store: ReleaseStore) -> None:
    names = [path.name for path in Path(store.root, "interest").iterdir()]
    assert {"1", "2"} <= set(names)
    assert all(name.isdigit() or name.startswith(".") for name in names)


@pytest.mark.parametrize("page", ["report.html", "data_docs.html"])
def test_a_browser_renders_the_pages_of_a_run(home: Path, page: str) -> None:
    file = min(home.glob(f"runs/*/{page}"))
    heading = re.search("<h1>.+?</h1>", file.read_text(), re.DOTALL)
    assert heading

    # As source text the heading would be escaped: &lt;h1&gt;
    assert heading[0] in rendered_html(file)


def test_serve_ends_on_sigterm_and_leaves_no_server_running(tutorial: str) -> None:
    assert "penchant serve ended with exit code 0" in tutorial
    assert all(is_free(address) for address in served_addresses(tutorial))


def test_serve_ends_on_an_interrupt_and_leaves_no_server_running(served: Served) -> None:
    served.process.send_signal(signal.SIGINT)
    served.process.communicate(timeout=HANG_S)

    assert served.process.returncode == 0
    assert is_free(served.recommender)
    assert is_free(served.model_server)
