from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import kfp_server_api as api
import pytest

from components.run_facts import write_facts
from pipelines.errors import HomeInUse, RunError
from pipelines.kubeflow.connection import connect
from pipelines.kubeflow.runs import KubeflowRuns
from pipelines.privacy.active_runs import check_no_run
from pipelines.run_history import follow
from pipelines.settings import Settings
from tests.pipelines.kubeflow.fake_kubeflow import FakeKubeflow
from tests.pipelines.kubeflow.test_schedules import PARAMETERS, sent, tiny

START = datetime(2026, 11, 1, 3, tzinfo=UTC)


def task(name: str, state: str, minute: int | None, error: str = "") -> Any:
    return api.V2beta1PipelineTaskDetail(
        display_name=name,
        state=state,
        start_time=None if minute is None else START + timedelta(minutes=minute),
        error=api.GoogleRpcStatus(code=2, message=error) if error else None,
    )


def test_a_submitted_run_is_listed_newest_first(kubeflow: FakeKubeflow, settings: Settings) -> None:
    with connect(settings) as client:
        runs = KubeflowRuns(client, settings)
        first, second = runs.submit(tiny, PARAMETERS), runs.submit(tiny, PARAMETERS)

        assert [run.run_id for run in runs.newest(5)] == [second, first]
    assert kubeflow.runs[first].runtime_config.parameters == sent(settings)


def test_the_steps_of_a_run_are_in_order_and_without_kubeflows_own(
    kubeflow: FakeKubeflow, settings: Settings
) -> None:
    with connect(settings) as client:
        runs = KubeflowRuns(client, settings)
        run_id = runs.submit(tiny, PARAMETERS)
        kubeflow.runs[run_id].state = "FAILED"
        kubeflow.runs[run_id].run_details = api.V2beta1RunDetails(
            task_details=[
                task("root", "FAILED", 0),
                task("exit-handler-1", "FAILED", 0),
                task("train", "FAILED", 5, "exit code 1"),
                task("train-driver", "SUCCEEDED", 4),
                task("ingest", "SUCCEEDED", 1),
                task("register", "PENDING", None),
                task("evaluate", "PENDING", None),
            ]
        )
        run = runs.get(run_id)

    assert run.has_ended
    assert [(step.name, step.state, step.error) for step in run.steps] == [
        ("ingest", "succeeded", ""),
        ("train", "failed", "exit code 1"),
        ("register", "pending", ""),
        ("evaluate", "pending", ""),
    ]


def test_nobody_is_erased_while_a_run_is_in_progress(kubeflow: FakeKubeflow, settings: Settings) -> None:
    check_no_run(settings)
    with connect(settings) as client:
        run_id = KubeflowRuns(client, settings).submit(tiny, PARAMETERS)
    kubeflow.runs[run_id].state = "RUNNING"
    with pytest.raises(HomeInUse, match=f"in progress on Kubeflow .{run_id}"):
        check_no_run(settings)
    kubeflow.runs[run_id].state = "SUCCEEDED"
    check_no_run(settings)


@pytest.mark.parametrize("state", ["SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"])
def test_following_a_run_stops_when_it_ends(kubeflow: FakeKubeflow, settings: Settings, state: str) -> None:
    with connect(settings) as client:
        runs = KubeflowRuns(client, settings)
        run_id = runs.submit(tiny, PARAMETERS)
        states = []
        for run in follow(runs, run_id, poll_s=0):
            states.append(run.state)
            kubeflow.runs[run_id].state = "RUNNING" if len(states) < 2 else state

    assert states == ["pending", "running", state.lower()]


def test_a_step_that_took_too_long_is_shown_with_its_setting(
    kubeflow: FakeKubeflow, settings: Settings
) -> None:
    error = "Pod was active on the node longer than the specified deadline"
    with connect(settings) as client:
        runs = KubeflowRuns(client, settings)
        run_id = runs.submit(tiny, PARAMETERS)
        kubeflow.runs[run_id].run_details = api.V2beta1RunDetails(
            task_details=[
                task("train-interest-model-2", "FAILED", 1, error),
                task("ingest-interactions", "FAILED", 2, f"DeadlineExceeded: {error}"),
            ]
        )
        trained, ingested = runs.get(run_id).steps

    assert trained.error == f"{error}: it took longer than PENCHANT_TRAINING_TIMEOUT_S"
    assert ingested.error.endswith("it took longer than PENCHANT_STEP_TIMEOUT_S")


def test_the_logs_of_a_run_are_left_to_kubectl(kubeflow: FakeKubeflow, settings: Settings) -> None:
    with connect(settings) as client:
        runs = KubeflowRuns(client, settings)
        run_id = runs.submit(tiny, PARAMETERS)
        pod = api.PipelineTaskDetailChildTask(pod_name="penchant-xyz-42")
        ingest, waiting = task("ingest", "RUNNING", 1), task("train", "PENDING", None)
        ingest.child_tasks = [pod]
        kubeflow.runs[run_id].run_details = api.V2beta1RunDetails(task_details=[ingest, waiting])
        command = "kubectl -n kubeflow logs"

        with pytest.raises(RunError, match=rf"no logs, .*{command} -l pipeline/runid={run_id} .* -c main$"):
            next(runs.log(run_id, "", follow=False))
        with pytest.raises(RunError, match=rf"{command} penchant-xyz-42 -c main -f$"):
            next(runs.log(run_id, "ingest", follow=True))
        with pytest.raises(ValueError, match="--step='push': expected a step of the run: ingest, train"):
            next(runs.log(run_id, "push", follow=False))


def test_what_the_steps_left_is_shown_after_the_end(
    kubeflow: FakeKubeflow, settings: Settings, tmp_path: Path
) -> None:
    settings = settings.model_copy(update={"warehouse": str(tmp_path / "warehouse")})
    with connect(settings) as client:
        runs = KubeflowRuns(client, settings)
        run_id = runs.submit(tiny, PARAMETERS)
        write_facts(settings.run_facts, run_id, "ingest", rows=2000)
        write_facts(settings.run_facts, run_id, "push", version=7, live=False)
        write_facts(settings.run_facts, run_id, "report", undelivered=["webhook: down", "textfile: full"])
        assert runs.get(run_id).facts == {}
        kubeflow.runs[run_id].state = "SUCCEEDED"
        facts = runs.get(run_id).facts

    undelivered = "webhook: down\ntextfile: full"
    assert facts == {"rows": "2,000", "version": "7", "live": "no", "not delivered": undelivered}
