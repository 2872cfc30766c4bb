from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from components.check_schedule.component import check_schedule
from components.check_schedule.cron import Cron
from pipelines.errors import RunError
from pipelines.kubeflow.connection import connect
from pipelines.kubeflow.schedules import Change, Schedules
from pipelines.run_receivers import kubeflow_receivers
from pipelines.settings import Settings
from tests.pipelines.kubeflow.fake_kubeflow import FakeKubeflow

NIGHTLY = Cron("0 3 * * *")
LONDON = Cron("0 3 * * *", "Europe/London")


def tiny(warehouse: str, hyperparameters: dict[str, Any] = {}) -> None:  # noqa: B006
    check_schedule(cron=warehouse, timezone="UTC", tolerance_minutes=1)


PARAMETERS: dict[str, Any] = {"warehouse": "s3://bucket/warehouse", "hyperparameters": {"epochs": 2}}


def sent(settings: Settings) -> dict[str, Any]:
    """The parameters, and whom the last step tells how the run ended."""
    return PARAMETERS | {"report": asdict(kubeflow_receivers(settings))}


@contextmanager
def schedules(settings: Settings) -> Iterator[Schedules]:
    with connect(settings) as client:
        yield Schedules(client, settings)


def create(settings: Settings, cron: Cron = NIGHTLY, name: str = "nightly", **parameters: Any) -> Change:
    with schedules(settings) as found:
        return found.create(name, cron, tiny, PARAMETERS | parameters)


def enabled(kubeflow: FakeKubeflow) -> list[Any]:
    return [run for run in kubeflow.recurring_runs.values() if run.status == "ENABLED"]


def test_a_schedule_is_created_with_six_fields_and_one_run_at_a_time(
    kubeflow: FakeKubeflow, settings: Settings
) -> None:
    assert create(settings) == Change.CREATED

    [recurring] = enabled(kubeflow)
    assert recurring.trigger.cron_schedule.cron == "0 0 3 * * *"
    assert recurring.max_concurrency == "1"
    assert recurring.no_catchup is True
    assert recurring.runtime_config.parameters == sent(settings)


def test_creating_the_same_schedule_again_changes_nothing(kubeflow: FakeKubeflow, settings: Settings) -> None:
    create(settings)
    before = dict(kubeflow.recurring_runs)

    assert create(settings) == Change.NONE
    assert kubeflow.recurring_runs == before


@pytest.mark.parametrize("change", [{"cron": Cron("0 4 * * *")}, {"hyperparameters": {"epochs": 3}}])
def test_other_arguments_replace_the_schedule(
    kubeflow: FakeKubeflow, settings: Settings, change: dict[str, Any]
) -> None:
    create(settings)
    [old] = kubeflow.recurring_runs

    assert create(settings, **change) == Change.REPLACED

    [new] = enabled(kubeflow)
    assert kubeflow.recurring_runs.keys() == {new.recurring_run_id} != {old}
    assert new.trigger.cron_schedule.start_time > datetime.now(UTC)  # when the old one is gone


@pytest.mark.parametrize("method", [":disable", "DELETE"])
def test_an_interrupted_replacement_is_finished_by_repeating_it(
    kubeflow: FakeKubeflow, settings: Settings, method: str
) -> None:
    create(settings)
    kubeflow.fail_at = {method: 503}
    with pytest.raises(RunError, match="injected failure"):
        create(settings, epochs_changed := Cron("0 4 * * *"))
    assert enabled(kubeflow)  # never none

    kubeflow.fail_at = {}
    create(settings, epochs_changed)

    [only] = kubeflow.recurring_runs.values()
    assert only.status == "ENABLED"
    assert only.trigger.cron_schedule.cron == "0 0 4 * * *"


def test_schedules_of_other_names_and_other_makers_are_left_alone(
    kubeflow: FakeKubeflow, settings: Settings
) -> None:
    create(settings, name="weekly")
    create(settings)
    for recurring in kubeflow.recurring_runs.values():
        if recurring.display_name == "weekly":
            recurring.description = "made by hand"

    create(settings, Cron("0 4 * * *"))

    assert len(kubeflow.recurring_runs) == 2
    with schedules(settings) as found:
        assert [schedule.name for schedule in found.all()] == ["nightly"]


def test_a_schedule_in_another_zone_checks_whether_it_is_due(
    kubeflow: FakeKubeflow, settings: Settings
) -> None:
    create(settings, LONDON)

    [recurring] = enabled(kubeflow)
    assert recurring.trigger.cron_schedule.cron == "0 0 2,3 * * *"
    assert recurring.runtime_config.parameters == sent(settings) | {
        "cron": "0 3 * * *",
        "timezone": "Europe/London",
        "tolerance_minutes": 55,
    }
    components = recurring.pipeline_spec["pipeline_spec"]["components"]
    tasks = components["comp-exit-handler-1"]["dag"]["tasks"]
    assert tasks.keys() == {"check-schedule", "condition-2"}


def test_run_now_is_always_due(kubeflow: FakeKubeflow, settings: Settings) -> None:
    create(settings, LONDON)

    with schedules(settings) as found:
        run_id = found.run_now("nightly")

    parameters = kubeflow.runs[run_id].runtime_config.parameters
    assert parameters["hyperparameters"] == {"epochs": 2}
    assert Cron("0 0 1 1 *").is_due(datetime.now(UTC), timedelta(minutes=parameters["tolerance_minutes"]))


def test_pause_resume_and_delete(kubeflow: FakeKubeflow, settings: Settings) -> None:
    create(settings)

    with schedules(settings) as found:
        found.pause("nightly")
        assert not enabled(kubeflow)
        assert create(settings) == Change.NONE  # it stays paused
        assert not enabled(kubeflow)
        found.resume("nightly")
        assert enabled(kubeflow)
        found.delete("nightly")
    assert not kubeflow.recurring_runs


def test_an_unknown_name_lists_the_names(settings: Settings) -> None:
    create(settings)

    with schedules(settings) as found, pytest.raises(LookupError, match="'weekly'; schedules: nightly"):
        found.pause("weekly")
