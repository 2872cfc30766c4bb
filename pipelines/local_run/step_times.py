"""Measures what each step of a local run costs."""

import resource
import time
from dataclasses import dataclass

from rich.table import Table


@dataclass(frozen=True)
class StepTime:
    """A step that ended: the seconds that it took, and those that its processes computed, on all cores.

    `peak_bytes` is the largest memory of its Python process; None if a signal ended it. `rows_in` and
    `rows_out` are those of all tables among its inputs and outputs; None without a table.
    """

    step: str
    seconds: float
    cpu_seconds: float
    peak_bytes: int | None = None
    rows_in: int | None = None
    rows_out: int | None = None

    @property
    def rows(self) -> tuple[int | None, int | None]:
        return self.rows_in, self.rows_out


class StepTimes:
    """The times of the steps of one run, one step after another.

    The *work* of a step is what its component does. The rest of a run is the pipeline's overhead: to import
    what the steps need, which the fork server does meanwhile, to start each step, to pass inputs and outputs,
    and to begin and end the run.
    """

    def __init__(self) -> None:
        self.ended: list[StepTime] = []
        # Of the step that runs, once its process has reported it.
        self.peak_bytes: int | None = None
        self.rows: tuple[int | None, int | None] | None = None
        self.forked_cpu_seconds = 0.0
        self._began_at, self._began_cpu, self._work = time.monotonic(), _cpu_of_children(), 0.0
        self.start()

    def start_work(self) -> None:
        """Note that the component of the step begins."""
        self._work_began_at = time.monotonic()

    def end_work(self) -> None:
        """Note that the component of the step ended."""
        self._work += time.monotonic() - self._work_began_at

    def overhead(self) -> tuple[float, float]:
        """Return the seconds of the run so far that were no step's work, and their share of it."""
        seconds = time.monotonic() - self._began_at
        return seconds - self._work, (seconds - self._work) / seconds

    def overhead_cpu_seconds(self) -> float:
        """Return the CPU seconds of all processes of the run that ended, but for those of the steps."""
        return _cpu_of_children() - self._began_cpu - sum(ended.cpu_seconds for ended in self.ended)

    def start(self) -> None:
        """Begin to measure a step."""
        self._started_at, self._cpu = time.monotonic(), _cpu_of_children()
        self._work_began_at, self.forked_cpu_seconds = self._started_at, 0.0
        self.peak_bytes = self.rows = None

    def end(self, step: str) -> StepTime:
        """Return the times of the step since `start`, and keep them."""
        seconds = time.monotonic() - self._started_at
        cpu_seconds = _cpu_of_children() - self._cpu + self.forked_cpu_seconds
        self.ended.append(StepTime(step, seconds, cpu_seconds, self.peak_bytes, *(self.rows or ())))
        return self.ended[-1]

    def table(self) -> Table:
        """Return a table with a row for each step, slowest first, their sum, and the pipeline's overhead."""
        table = Table.grid(padding=(0, 2))
        table.add_column()
        for _ in range(5):
            table.add_column(justify="right")
        slowest_first = sorted(self.ended, key=lambda ended: -ended.seconds)
        sums = [sum(values) for values in zip(*((e.seconds, e.cpu_seconds) for e in self.ended), strict=True)]
        table.add_row("step", "seconds", "CPU seconds", "peak GB", "rows in", "rows out", style="dim")
        for ended in slowest_first:
            costs = f"{ended.seconds:.1f}", f"{ended.cpu_seconds:.1f}", _gigabytes(ended.peak_bytes)
            table.add_row(ended.step, *costs, *("" if rows is None else f"{rows:,}" for rows in ended.rows))
        largest = max((ended.peak_bytes or 0 for ended in self.ended), default=0)
        table.add_row("all steps", *(f"{total:.1f}" for total in sums), _gigabytes(largest), style="bold")
        seconds, share = self.overhead()
        cpu_seconds = f"{self.overhead_cpu_seconds():.1f}"
        table.add_row("pipeline overhead", f"{seconds:.1f}", cpu_seconds, "", "", f"{share:.1%} of the run")
        return table


def _gigabytes(size: int | None) -> str:
    return f"{size / 1e9:.2f}" if size else ""


def _cpu_of_children() -> float:
    """Return the CPU seconds of all processes that this one started and that ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
