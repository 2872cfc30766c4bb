"""The runs of a home, from their records in `runs/`."""

import re
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from components.run_record import LOG, RECORD, RunRecord, StepRecord
from pipelines.local_run.run_lock import is_locked
from pipelines.run_history import Run, Step, shown

_POLL_S: Final = 0.5

# As pipelines.local_run.run_folder names them: a time, and a number for a further run of the same second.
_NAME: Final = re.compile(r"(\d{8}-\d{6})(?:-(\d+))?")


class LocalRuns:
    """The runs of a home that have a record."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def newest(self, count: int) -> list[Run]:
        """Return the newest `count` runs, newest first."""
        return [self._run(RunRecord.read(folder)) for folder in self._folders()[:count]]

    def get(self, run_id: str) -> Run:
        """Return a run with its steps and facts.

        Raises:
            LookupError: there is no such run.
        """
        return self._run(self._record(run_id))

    def log(self, run_id: str, step: str, follow: bool) -> Iterator[str]:
        """Yield the lines of a run, or of one step of it; with `follow`, until it ends.

        Raises:
            LookupError: there is no such run.
            ValueError: there is no such step; the message lists all.
        """
        record = self._record(run_id)
        start = _find(record, step).log_start if step else 0
        with (self._home / "runs" / run_id / LOG).open("rb") as log:
            log.seek(start)
            rest = b""
            while True:
                # First the record, then the log: what was written before the end is read.
                record = self._record(run_id)
                end = _find(record, step).log_end if step else None
                *lines, rest = (rest + log.read(-1 if end is None else end - log.tell())).split(b"\n")
                yield from (line.decode(errors="replace") for line in lines)
                if end is not None or not follow or self._run(record).has_ended:
                    break
                time.sleep(_POLL_S)
            if rest:
                yield rest.decode(errors="replace")

    def last_arguments(self, pipeline: str) -> dict[str, Any]:
        """Return the parameters of the newest run of a pipeline that succeeded; none without one."""
        for folder in self._folders():
            record = RunRecord.read(folder)
            if (record.pipeline, record.status) == (pipeline, "succeeded"):
                return record.arguments
        return {}

    def _folders(self) -> list[Path]:
        folders = [
            file.parent for file in self._home.glob(f"runs/*/{RECORD}") if _NAME.fullmatch(file.parent.name)
        ]
        return sorted(folders, key=_age, reverse=True)

    def _record(self, run_id: str) -> RunRecord:
        folders = self._folders()
        for folder in folders:
            if folder.name == run_id:
                return RunRecord.read(folder)
        newest = ", ".join(folder.name for folder in folders[:3]) or "none yet"
        raise LookupError(f"there is no run {run_id!r} in {self._home}; the newest: {newest}")

    def _run(self, record: RunRecord) -> Run:
        status = record.status if record.status != "running" or self._is_running(record.run) else "killed"
        started = datetime.fromisoformat(record.started_at)
        return Run(
            record.run,
            record.pipeline,
            status,
            started,
            started + timedelta(seconds=record.duration_s) if record.duration_s is not None else None,
            tuple(_step(step, status) for step in record.steps),
            _facts(record),
        )

    def _is_running(self, run: str) -> bool:
        """Return whether a run without an end goes on: the newest one does while the home is locked."""
        return is_locked(self._home) and run == self._folders()[0].name


def _age(folder: Path) -> tuple[str, int]:
    """Return the time of a run's folder, and its number among those of the same second."""
    match = _NAME.fullmatch(folder.name)
    assert match
    return match[1], int(match[2] or 1)


def _find(record: RunRecord, name: str) -> StepRecord:
    """Return the step with a display name, or a name in the pipeline."""
    for step in record.steps:
        if name.lower() in (step.name.lower(), step.task):
            return step
    names = ", ".join(step.name for step in record.steps) or "none yet"
    raise ValueError(f"--step={name!r}: expected a step of the run: {names}")


def _step(step: StepRecord, run_status: str) -> Step:
    started = datetime.fromisoformat(step.started_at)
    ended = started + timedelta(seconds=step.seconds) if step.seconds is not None else None
    state = "killed" if step.status == "running" and run_status == "killed" else step.status
    return Step(step.name, state, started, ended, step.error)


def _facts(record: RunRecord) -> dict[str, str]:
    failure = {"failed step": record.failed_step, "error": record.error}
    told = {name: text for name, text in failure.items() if text}
    return {"started by": record.started_by, **told, **shown(record.facts)}
