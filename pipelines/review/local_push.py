"""Pushes a version in this process: starting the promotion pipeline takes longer than its one step."""

import contextlib
import io
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from rich.text import Text

from components.errors import StepError
from components.progress import MARK, report
from components.push_release.promotion import push
from components.push_release.recovery import recover
from components.register_release.model_registry import Registry
from components.report_run.reporting import outcome_of_record, tell
from feature_repo.store_addresses import FeatureStoreAddresses
from pipelines.errors import RunError
from pipelines.local_run.run_folder import new_run_folder
from pipelines.local_run.run_lock import run_lock
from pipelines.local_run.run_recorder import RunRecorder
from pipelines.local_run.step_times import StepTime
from pipelines.local_run.termination import interrupted_by_sigterm
from pipelines.pipeline_arguments import promotion_arguments
from pipelines.run_receivers import local_receivers
from pipelines.servers.running_servers import running_model_server
from pipelines.settings import Settings
from pipelines.terminal import Terminal
from serving.release.release_store import ReleaseStore

PIPELINE, STEP, TASK, LOG = "promotion", "Push release", "push-release", "run.log"


def push_here(
    settings: Settings, version: int, by: str, reason: str, force: bool = False, last_seen: int = -1
) -> None:
    """Call `push` for a person's approval, under the lock of the home, with the record and log of a run.

    The smoke test uses the model server of a running `penchant serve`; without one it starts its own. What a
    killed command left is finished or undone first.

    Raises:
        RunError: another run uses the home (HomeInUse), or the push failed; the live version is unchanged.
    """
    arguments = promotion_arguments(settings, version, by, reason, force, last_seen)
    with run_lock(settings.home), _recorded(settings, arguments, by) as log:
        try:
            _push(settings, version, by, reason, force, last_seen)
        except Exception as error:
            traceback.print_exc(file=sys.stdout)
            name = "" if isinstance(error, StepError) else f"{type(error).__name__}: "
            raise RunError(f"{STEP} failed: {name}{error}\nFull log: {log}") from error


def _push(settings: Settings, version: int, by: str, reason: str, force: bool, last_seen: int) -> None:
    registry = Registry(settings.tracking_uri, settings.model_name, settings.review_history)
    for message in recover(ReleaseStore(settings.releases), registry, undo=True):
        report(message)
    push(
        version,
        by,
        settings.model_name,
        settings.tracking_uri,
        settings.releases,
        settings.model_server or running_model_server(settings),
        FeatureStoreAddresses(settings.features, settings.registry, settings.online_store),
        settings.review_history,
        reason,
        by_person=True,
        force=force,
        last_seen=last_seen,
    )


@contextlib.contextmanager
def _recorded(settings: Settings, arguments: dict[str, object], by: str) -> Iterator[Path]:
    """Keep the record of a run with one step, send its output to a log, and tell the receivers at the end."""
    receivers = local_receivers(settings)
    folder = new_run_folder(settings.home)
    with (
        RunRecorder(folder, PIPELINE, arguments, by) as recorder,
        (folder / LOG).open("w") as log,
        contextlib.redirect_stdout(_Output(log)) as output,
        interrupted_by_sigterm(),
    ):
        recorder.start_step(STEP, TASK, 0)
        error: BaseException | None = None
        try:
            yield folder / LOG
        except BaseException as raised:
            error = raised
            recorder.note(raised)
            raise
        finally:
            recorder.end_step(output.end(error is None), log.tell(), str(error) if error else None)
            live = ReleaseStore(settings.releases).live()
            recorder.record.facts |= {"version": arguments["version"], "live": live == arguments["version"]}
            if error is None:
                recorder.record.status = "succeeded"
            if receivers.exist:
                outcome = outcome_of_record(recorder.record, replace(receivers, record=str(folder)))
                recorder.record.facts["undelivered"] = tell(outcome, receivers, ())


class _Output(io.TextIOBase):
    """Replaces standard output: shows the lines that the step reports, and writes all lines to a log."""

    def __init__(self, log: TextIO) -> None:
        self._console, self._log, self._line = Terminal(file=sys.stdout, soft_wrap=True), log, ""
        self._started, self._cpu_seconds = time.monotonic(), time.process_time()

    def end(self, is_success: bool) -> StepTime:
        """Show that the step ended; return what it cost, which is a part of this process."""
        mark, seconds = ("✓", "green") if is_success else ("✗", "red"), time.monotonic() - self._started
        self._console.print(Text.assemble(mark, f" {STEP} ", (f"{seconds:.1f} s", "dim")))
        return StepTime(STEP, seconds, time.process_time() - self._cpu_seconds)

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        self._log.write(text)
        self._log.flush()
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            if line.startswith(MARK):
                self._console.print(f"  {line.removeprefix(MARK)}", style="dim")
        return len(text)
