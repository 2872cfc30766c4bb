"""The record of one local run, `run.json` in its folder: what ran, how it ended, and what it made."""

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, Self

from feature_repo.atomic_files import write_text_atomically
from feature_repo.printable_text import masked

RECORD: Final = "run.json"

# The output of all steps, in the folder of the run too.
LOG: Final = "run.log"

# The display name of the step that reports how a run ended, which is no cause of a failure.
REPORT_STEP: Final = "Report run"

Status = Literal["running", "succeeded", "failed", "canceled"]


@dataclass
class StepRecord:
    """One step of a run.

    Attributes:
        name: the display name.
        task: the name in the pipeline.
        seconds: None while the step runs; so are cpu_seconds, of all its processes.
        peak_bytes: the largest memory of its Python process; None too if a signal ended it.
        rows_in: of all tables among its inputs; rows_out of those among its outputs; None without a table.
        began_s: when it started, in seconds from the start of the run.
        log_start: where its output begins in the run's log, in bytes; it ends at `log_end`.
    """

    name: str
    task: str
    started_at: str
    log_start: int
    status: Status = "running"
    seconds: float | None = None
    log_end: int | None = None
    error: str = ""
    cpu_seconds: float | None = None
    peak_bytes: int | None = None
    rows_in: int | None = None
    rows_out: int | None = None
    began_s: float | None = None


@dataclass
class RunRecord:
    """A run; times are ISO 8601 in UTC.

    Attributes:
        run: the name of its folder.
        started_by: a user, or a schedule.
        arguments: the parameters of the pipeline.
        status: "running" also for a run that was killed; only the lock of the home tells them apart.
        facts: what its steps left: rows, verdict, version, …
    """

    run: str
    pipeline: str
    started_at: str
    started_by: str
    arguments: dict[str, Any]
    status: Status = "running"
    ended_at: str = ""
    duration_s: float | None = None
    failed_step: str = ""
    error: str = ""
    steps: list[StepRecord] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the record in the folder of a run.

        Raises:
            FileNotFoundError: the folder has none.
        """
        content = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        steps = [StepRecord(**step) for step in content.pop("steps")]
        return cls(**content, steps=steps)

    def write(self, folder: Path) -> None:
        """Replace the record in the folder of the run; passwords in URLs are masked."""
        write_text_atomically(folder / RECORD, masked(json.dumps(asdict(self), indent=2)))


def timestamp() -> str:
    """Return the present time in UTC, as in a record."""
    return datetime.now(UTC).isoformat(timespec="seconds")
