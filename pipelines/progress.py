"""What a person sees while a pipeline runs here: a line a step, what it reports, and why it failed."""

import io
import re
import sys
import time
from itertools import takewhile
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.markup import escape

from components.progress import MARK

_STARTED = re.compile(r"Executing task .*?'([\w-]+)'")
_ENDED = re.compile(r"Task .*?'([\w-]+)'.* finished with status .*?(SUCCESS|FAILURE)")
# The last line of a traceback: a dotted exception, or a built-in one.
_RAISED = re.compile(r"^(?:(?:[a-z_]\w*\.)+[A-Z]\w*|[A-Z]\w*(?:Error|Exception|Interrupt|Exit)): ")


class StepReporter(io.TextIOBase):
    """Stands in for standard output while kfp's local runner prints; keeps all of it in a log."""

    def __init__(self, log: TextIO, titles: dict[str, str]) -> None:
        # The console is bound to the terminal now, before standard output is redirected here.
        self._console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._log, self._titles = log, titles
        self._line = ""
        self._step, self._started = "", 0.0
        self._status = self._console.status("")
        self._output: list[str] = []
        self._failed: tuple[str, list[str]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._status.stop()

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        self._log.write(text)
        self._log.flush()
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._read(line)
        return len(text)

    def failure(self, log: Path) -> str:
        """What to tell about the first step that failed: its name, its error as raised, where the log is."""
        title, output = self._failed or (self._title, self._output)
        raised = [number for number, line in enumerate(output) if _RAISED.match(line)]
        # After the error the runner draws a line.
        told = takewhile(
            lambda line: not line.startswith("----"), output[raised[-1] :] if raised else output[-5:]
        )
        cause = "\n".join(told)
        cause = re.sub(r"^(?:\w+\.)+(?=[A-Z])", "", cause).removeprefix("StepError: ")
        return f"{title} failed: {cause.strip() or 'it gave no reason'}\nThe whole log: {log}"

    @property
    def _title(self) -> str:
        return self._titles.get(self._step, self._step)

    def _read(self, line: str) -> None:
        if started := _STARTED.search(line):
            self._step, self._started, self._output = started[1], time.monotonic(), []
            self._status.update(f"{self._title} …")
            self._status.start()
        elif ended := _ENDED.search(line):
            self._status.stop()
            mark = "[green]✓[/]" if ended[2] == "SUCCESS" else "[red]✗[/]"
            if ended[2] == "FAILURE" and ended[1] == self._step:
                # Steps that don't depend on it still run; the cause is this one's.
                self._failed = self._failed or (self._title, self._output)
            self._console.print(f"{mark} {self._title} [dim]{time.monotonic() - self._started:.1f} s[/]")
        else:
            self._output.append(line.removeprefix("    "))
            text = line.strip()
            if text.startswith(MARK):
                self._console.print(f"  {escape(text.removeprefix(MARK))}", style="dim")
