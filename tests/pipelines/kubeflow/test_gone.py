"""Kubeflow may be gone at any call: one sentence says so, and the next try is whole."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.check_schedule.cron import Cron
from pipelines.compilation import compile_pipeline
from pipelines.errors import RunError
from pipelines.kubeflow.connection import connect
from pipelines.kubeflow.runs import KubeflowRuns
from pipelines.kubeflow.schedules import Schedules
from pipelines.settings import Settings
from tests.pipelines.kubeflow.fake_kubeflow import FakeKubeflow
from tests.pipelines.kubeflow.test_schedules import NIGHTLY, PARAMETERS, tiny

Action = Callable[[Schedules, KubeflowRuns], Any]

ENABLED = [("0 0 3 * * *", "ENABLED")]

# Name -> an action, and the recurring runs after it; before it there is a nightly one, enabled.
ACTIONS: dict[str, tuple[Action, list[tuple[str, str]]]] = {
    "replace": (
        lambda schedules, _: schedules.create("nightly", Cron("0 4 * * *"), tiny, PARAMETERS),
        [("0 0 4 * * *", "ENABLED")],
    ),
    "pause": (lambda schedules, _: schedules.pause("nightly"), [("0 0 3 * * *", "DISABLED")]),
    "run now": (lambda schedules, _: schedules.run_now("nightly"), ENABLED),
    "delete": (lambda schedules, _: schedules.delete("nightly"), []),
    "submit": (lambda _, runs: runs.submit(tiny, PARAMETERS), ENABLED),
    "list runs": (lambda _, runs: runs.newest(5), ENABLED),
}


@pytest.fixture(autouse=True)
def compiled_once(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pipeline is compiled once, not at each try."""
    compile_pipeline(tiny, settings, file := tmp_path / "tiny.yaml")
    for module in ("runs", "schedules"):
        monkeypatch.setattr(
            f"pipelines.kubeflow.{module}.compile_pipeline",
            lambda function, settings, target: shutil.copy(file, target),
        )


def states(kubeflow: FakeKubeflow) -> list[tuple[str, str]]:
    """The cron and the state of each recurring run."""
    runs = kubeflow.recurring_runs.values()
    return [(run.trigger.cron_schedule.cron, run.status) for run in runs]


def act(settings: Settings, action: Action) -> None:
    with connect(settings) as client:
        action(Schedules(client, settings), KubeflowRuns(client, settings))


@pytest.mark.parametrize("loses_answers", [False, True], ids=["the call is lost", "the answer is lost"])
@pytest.mark.parametrize("name", ACTIONS)
def test_the_try_after_a_lost_connection_is_whole(
    kubeflow: FakeKubeflow, settings: Settings, name: str, loses_answers: bool
) -> None:
    action, after = ACTIONS[name]
    act(settings, lambda schedules, _: schedules.create("nightly", NIGHTLY, tiny, PARAMETERS))
    before = dict(kubeflow.recurring_runs)
    kubeflow.calls.clear()
    act(settings, action)
    calls = list(kubeflow.calls)
    assert calls
    kubeflow.loses_answers = loses_answers

    for lost, call in enumerate(calls):
        kubeflow.recurring_runs = dict(before)
        for recurring in before.values():
            recurring.status = "ENABLED"
        kubeflow.answers = lost
        with pytest.raises(RunError) as error:
            act(settings, action)
        message = str(error.value)
        assert message.startswith(f"Kubeflow at {kubeflow.address} "), call
        assert "\n" not in message
        assert ("may have started" in message) == (call == "POST runs")
        assert name in ("pause", "delete") or ("ENABLED" in dict(states(kubeflow)).values())

        kubeflow.answers = None
        if name == "delete" and not kubeflow.recurring_runs:
            with pytest.raises(LookupError, match="no schedule 'nightly'"):  # deleted, but not answered
                act(settings, action)
        else:
            act(settings, action)
        assert states(kubeflow) == after, call
