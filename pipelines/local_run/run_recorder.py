"""Keeps the record of a local run up to date, from its start to its end."""

import getpass
import os
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from components.run_facts import read_facts
from components.run_record import REPORT_STEP, RunRecord, Status, StepRecord, timestamp
from pipelines.local_run.run_page import write_run_page
from pipelines.local_run.step_times import StepTime

# The facts of the steps, in the folder of the run.
FACTS: Final = "facts"

STOPPED: Final = "stopped by Ctrl-C or SIGTERM"


class RunRecorder:
    """Writes `run.json` when the run starts and ends, and whenever a step does; and a page at the end."""

    def __init__(self, folder: Path, pipeline: str, arguments: dict[str, Any], started_by: str) -> None:
        self.folder = folder
        self.record = RunRecord(folder.name, pipeline, timestamp(), started_by or user(), arguments)
        self._began_at = time.monotonic()
        self.record.write(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._end("succeeded")
            return
        self.note(error)
        with suppress(OSError):  # of a full disk; the command reports `error`, which is the cause
            self._end(self.record.status)

    def note(self, error: BaseException) -> None:
        """Take over why the run ends, unless a step failed before."""
        self.record.status = "canceled" if isinstance(error, KeyboardInterrupt) else "failed"
        if not self.record.error:
            stopped = self.record.status == "canceled"
            self.record.error = STOPPED if stopped else str(error) or type(error).__name__

    def start_step(self, name: str, task: str, log_start: int) -> None:
        """Note that a step starts, and where its output begins in the log."""
        began_s = round(time.monotonic() - self._began_at, 3)
        self.record.steps.append(StepRecord(name, task, timestamp(), log_start, began_s=began_s))
        self.record.write(self.folder)

    def end_step(self, cost: StepTime, log_end: int, error: str | None) -> None:
        """Note that the step that started last ended, what it cost, and why it failed if it did."""
        step = self.record.steps[-1]
        step.seconds, step.cpu_seconds = round(cost.seconds, 3), round(cost.cpu_seconds, 3)
        step.peak_bytes, step.log_end = cost.peak_bytes, log_end
        step.rows_in, step.rows_out = cost.rows
        step.status, step.error = ("succeeded", "") if error is None else ("failed", error)
        if error is not None and step.name == REPORT_STEP:
            self.record.facts["undelivered"] = [f"the step {step.name} {error}"]
        elif error is not None and not self.record.failed_step:
            # Independent steps still run after a failure; the first one that failed is the cause.
            self.record.failed_step, self.record.error = step.name, error.removeprefix("failed: ")
        self._read_facts()
        self.record.write(self.folder)

    @property
    def only_report_failed(self) -> bool:
        """Whether the run failed only because its end could not be reported."""
        return not self.record.failed_step and any(step.status == "failed" for step in self.record.steps)

    def has_step(self, name: str) -> bool:
        """Return whether a step of this name started."""
        return any(step.name == name for step in self.record.steps)

    def _read_facts(self) -> None:
        # The local runner gives each run an id, which is the name of the folder.
        for folder in (self.folder / FACTS).glob("*"):
            self.record.facts |= read_facts(str(folder.parent), folder.name)

    def _end(self, status: Status) -> None:
        self.record.status, self.record.ended_at = status, timestamp()
        self.record.duration_s = round(time.monotonic() - self._began_at, 3)
        if self.record.steps and self.record.steps[-1].status == "running":
            self.record.steps[-1].status = status
        self._read_facts()
        self.record.write(self.folder)
        with suppress(OSError):  # a full disk must not hide how the run ended
            write_run_page(self.record, self.folder)


def user() -> str:
    """Return the name of the user of this process, or its number if it has no name, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
