"""Shows the progress of a local run: the steps, the lines that they report, and the error of a failed one."""

import io
import re
import sys
from itertools import takewhile
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TextIO

from rich.text import Text

from components.progress import MARK
from pipelines.local_run.run_recorder import RunRecorder
from pipelines.local_run.step_costs import forked_cpu_seconds, peak_bytes, rows
from pipelines.local_run.step_exit import describe, exit_code, is_ending, timed_out
from pipelines.local_run.step_times import StepTimes
from pipelines.terminal import Terminal

_STARTED: Final = re.compile(r"Executing task .*?'([\w-]+)'")
_ENDED: Final = re.compile(r"Task .*?'([\w-]+)'.* finished with status .*?(SUCCESS|FAILURE)")
# What kfp's executor logs before it calls a component, and after it.
_CALLED: Final = re.compile(r"^\s*\[KFP Executor .*\]: Got executor_input:")
_RETURNED: Final = re.compile(
    r"^\s*\[KFP Executor .*\]: (Wrote executor output file|Did not write output file)"
)
# The last line of a traceback: the qualified or built-in name of an exception.
_EXCEPTION: Final = re.compile(r"^(?:(?:[a-z_]\w*\.)+[A-Z]\w*|[A-Z]\w*(?:Error|Exception|Interrupt|Exit)): ")
# Without an exception, the message of a failed step is the end of its output.
_TAIL_LINES: Final = 5


class StepReporter(io.TextIOBase):
    """Replaces standard output while kfp's local runner prints: shows progress and writes all lines to a log.

    The output is parsed because kfp has no API that reports the start of a task or the reason of a failure.
    """

    def __init__(self, log: TextIO, display_names: dict[str, str], recorder: RunRecorder) -> None:
        # Bound to the terminal before standard output is redirected to this object.
        self._console = Terminal(file=sys.stdout, soft_wrap=True)
        self._log, self._display_names, self._recorder = log, display_names, recorder
        self._line = ""
        self._task, self._times = "", StepTimes()
        self._status = self._console.status("")
        self._output: list[str] = []
        self._failed: tuple[str, list[str]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._status.stop()
        if error is None and len(self._times.ended) > 1:
            self._console.print(self._times.table())

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        """Write to the log, and show the progress at each full line."""
        self._log.write(text)
        self._log.flush()
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._read(line)
        return len(text)

    def failure(self, log: Path) -> str:
        """Return a message about the first failed step: its name, its exception, and the log's path."""
        name, output = self._failed or (self._display_name, self._output)
        return f"{name} {_error(output)}\nFull log: {log}"

    @property
    def _display_name(self) -> str:
        return self._display_names.get(self._task, self._task)

    def _read(self, line: str) -> None:
        if started := _STARTED.search(line):
            self._task, self._output = started[1], []
            self._recorder.start_step(self._display_name, self._task, self._log.tell())
            self._times.start()
            self._status.update(Text(f"{self._display_name} …"))
            self._status.start()
        elif ended := _ENDED.search(line):
            self._end(ended[1], ended[2] == "SUCCESS")
        else:
            if _CALLED.match(line):
                self._times.start_work()
            elif _RETURNED.match(line):
                self._times.end_work()
            elif (peak := peak_bytes(line)) is not None:
                self._times.peak_bytes = peak
            elif (counted := rows(line)) is not None:
                self._times.rows = counted
            elif (seconds := forked_cpu_seconds(line)) is not None:
                self._times.forked_cpu_seconds = seconds
            self._output.append(line.removeprefix("    "))
            text = line.strip()
            if text.startswith(MARK):
                self._console.print(f"  {text.removeprefix(MARK)}", style="dim")

    def _end(self, task: str, succeeded: bool) -> None:
        self._status.stop()
        # Independent steps still run after a failure; the first one that failed is the cause.
        if not succeeded and task == self._task and not self._failed:
            self._failed = (self._display_name, self._output)
        mark = ("✓", "green") if succeeded else ("✗", "red")
        cost = self._times.end(self._display_name)
        self._recorder.end_step(cost, self._log.tell(), None if succeeded else _error(self._output))
        self._console.print(Text.assemble(mark, f" {self._display_name} ", (f"{cost.seconds:.1f} s", "dim")))


def _error(output: list[str]) -> str:
    """Return how a failed step ended, and its exception or last lines; to follow its name."""
    if timed_out(output):
        return describe(output)
    own = [line for line in output if not is_ending(line)]
    # Python ends with 1 after an exception.
    has_exception = all(exit_code(line) in (None, 1) for line in output)
    exceptions = [number for number, line in enumerate(own) if has_exception and _EXCEPTION.match(line)]
    tail = own[exceptions[-1] :] if exceptions else own[-_TAIL_LINES:]
    # The runner prints a line of dashes after the output of a task.
    cause = "\n".join(takewhile(lambda line: not line.startswith("----"), tail))
    cause = re.sub(r"^(?:\w+\.)+(?=[A-Z])", "", cause).removeprefix("StepError: ")
    return f"{describe(output)}: {cause.strip() or 'the step printed no reason'}"
