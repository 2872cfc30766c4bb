"""Schedules of the training pipeline on Kubeflow Pipelines: recurring runs, known by their names."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import yaml

from components.check_schedule.cron import Cron
from pipelines.compilation import PipelineFunction, compile_pipeline
from pipelines.exit_handler import PARAMETER
from pipelines.kubeflow.connection import experiment_id, starting_a_run, without_links
from pipelines.kubeflow.reachability import check_reachable
from pipelines.run_receivers import kubeflow_receivers
from pipelines.scheduled_pipeline import ALWAYS_MINUTES, only_when_due
from pipelines.settings import Settings

if TYPE_CHECKING:
    from kfp import Client

# A new schedule starts so late that the old one of its name is deleted by then.
_START_DELAY: Final = timedelta(minutes=1)
_PAGE_SIZE: Final = 100


class Change(Enum):
    """What `Schedules.create` did."""

    CREATED = "created"
    REPLACED = "replaced"
    NONE = "unchanged"


@dataclass(frozen=True)
class Schedule:
    """A recurring run that this module created.

    Attributes:
        recurring_run_id: Kubeflow's id.
        enabled: whether it starts runs.
        digest: SHA-256 of all that its runs depend on: pipeline, parameters, times.
        parameters: the parameters of the pipeline.
    """

    name: str
    recurring_run_id: str
    enabled: bool
    cron: Cron
    digest: str
    parameters: dict[str, Any]


class Schedules:
    """The schedules of the experiment of the settings.

    Args:
        client: of connection.connect, which translates its errors.
    """

    def __init__(self, client: "Client", settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._experiment_id = experiment_id(client, settings)

    def all(self) -> list[Schedule]:
        """Return all schedules, by name; two of one name only after an interrupted `create`."""
        return sorted(
            (schedule for run in self._recurring_runs() if (schedule := _schedule(run))),
            key=lambda schedule: (schedule.name, not schedule.enabled),
        )

    def named(self, name: str) -> list[Schedule]:
        """Return the schedules called `name`: one, or two after an interrupted `create`.

        Raises:
            LookupError: there is none; the message lists all names.
        """
        schedules = self.all()
        if found := [schedule for schedule in schedules if schedule.name == name]:
            return found
        names = ", ".join(sorted({schedule.name for schedule in schedules})) or "none yet"
        raise LookupError(f"there is no schedule {name!r}; schedules: {names}")

    def create(
        self,
        name: str,
        cron: Cron,
        function: PipelineFunction,
        parameters: dict[str, Any],
        catchup: bool = False,
    ) -> Change:
        """Create a schedule, or replace the one of this name; the new one is enabled.

        A new one starts after a minute, when the old one is gone, so that no time runs twice; a time of the
        schedule within that minute is left out. Repeating a call that was interrupted finishes it.

        Raises:
            ValueError: a parameter is an address that the cluster cannot reach.
        """
        check_reachable(self._settings, parameters)
        parameters = parameters | {PARAMETER: asdict(kubeflow_receivers(self._settings))}
        trigger = cron.kubeflow_trigger(self._settings.kubeflow_timezone, datetime.now(UTC))
        if trigger.tolerance:
            minutes = int(trigger.tolerance.total_seconds()) // 60
            function = only_when_due(function)
            due = {"cron": cron.expression, "timezone": cron.timezone, "tolerance_minutes": minutes}
            parameters = parameters | due
        arguments = {
            "job_name": name,
            "cron_expression": trigger.cron,
            "params": parameters,
            "no_catchup": not catchup,
            "max_concurrency": 1,
            "enable_caching": False,
            "service_account": self._settings.service_account or None,
        }
        before = [schedule for schedule in self.all() if schedule.name == name]
        same = self._create_unless_there(before, cron, function, arguments)
        for old in before:
            if old is not same:
                self._client.disable_recurring_run(old.recurring_run_id)
                self._client.delete_recurring_run(old.recurring_run_id)
        if same and len(before) == 1:
            return Change.NONE
        return Change.REPLACED if before else Change.CREATED

    def _create_unless_there(
        self, before: list[Schedule], cron: Cron, function: PipelineFunction, arguments: dict[str, Any]
    ) -> Schedule | None:
        """Return the schedule of `before` whose runs would be the same; create one if there is none."""
        with TemporaryDirectory() as folder:
            file = Path(folder) / "pipeline.yaml"
            compile_pipeline(function, self._settings, file)
            content = [arguments, cron.expression, cron.timezone, file.read_text()]
            digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
            same = next((schedule for schedule in before if schedule.digest == digest), None)
            if not same:
                self._client.create_recurring_run(
                    self._experiment_id,
                    description=json.dumps(
                        {"cron": cron.expression, "timezone": cron.timezone, "digest": digest}
                    ),
                    start_time=(datetime.now(UTC) + _START_DELAY).isoformat(timespec="seconds"),
                    pipeline_package_path=str(file),
                    **arguments,
                )
        return same

    def pause(self, name: str) -> None:
        """Start no more runs until `resume`."""
        for schedule in self.named(name):
            self._client.disable_recurring_run(schedule.recurring_run_id)

    def resume(self, name: str) -> None:
        """Start runs again."""
        self._client.enable_recurring_run(self.named(name)[0].recurring_run_id)

    def delete(self, name: str) -> None:
        """Delete a schedule; its runs stay."""
        for schedule in self.named(name):
            self._client.delete_recurring_run(schedule.recurring_run_id)

    def run_now(self, name: str) -> str:
        """Start one run of a schedule, with its pipeline and parameters; return the id of the run."""
        schedule = self.named(name)[0]
        spec = self._client.get_recurring_run(schedule.recurring_run_id).pipeline_spec
        documents = [spec["pipeline_spec"], spec["platform_spec"]] if "platform_spec" in spec else [spec]
        parameters = schedule.parameters
        if "tolerance_minutes" in parameters:
            parameters = parameters | {"tolerance_minutes": ALWAYS_MINUTES}
        with TemporaryDirectory() as folder:
            file = Path(folder) / "pipeline.yaml"
            file.write_text(yaml.safe_dump_all(documents))
            with without_links(), starting_a_run(self._settings):
                run = self._client.run_pipeline(
                    self._experiment_id,
                    job_name=f"{name}, started by hand",
                    pipeline_package_path=str(file),
                    params=parameters,
                    service_account=self._settings.service_account or None,
                )
        return str(run.run_id)

    def _recurring_runs(self) -> Iterator[Any]:
        token = ""
        while True:
            page = self._client.list_recurring_runs(
                page_token=token, page_size=_PAGE_SIZE, experiment_id=self._experiment_id
            )
            yield from page.recurring_runs or []
            token = page.next_page_token or ""
            if not token:
                return


def _schedule(run: Any) -> Schedule | None:
    """Return the schedule that a recurring run is, or None if it was made elsewhere."""
    try:
        description = json.loads(run.description or "")
        cron = Cron.parse(description["cron"], description["timezone"])
    except (ValueError, TypeError, KeyError):
        return None
    return Schedule(
        name=run.display_name,
        recurring_run_id=run.recurring_run_id,
        enabled=run.status == "ENABLED",
        cron=cron,
        digest=description["digest"],
        parameters=run.runtime_config.parameters or {},
    )
