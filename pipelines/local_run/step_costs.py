"""What the process of a step prints at its end: what it cost, and how many rows it had."""

import re
import resource
from collections.abc import Sequence
from typing import Final

from pipelines.local_run.step_rows import count_rows
from pipelines.peak_memory import peak_memory

_MEMORY: Final = "step used memory in bytes: "
_CPU: Final = "step used CPU seconds: "
_ROWS: Final = "step had rows in and out: "


def memory_line() -> str:
    """Return a line with the peak memory of this process."""
    return f"{_MEMORY}{peak_memory()}"


def rows_line(arguments: Sequence[str]) -> str:
    """Return a line with the rows of the tables among the step's inputs and outputs, see `count_rows`."""
    counts = ("-" if rows is None else str(rows) for rows in count_rows(arguments))
    return f"{_ROWS}{' '.join(counts)}"


def cpu_line() -> str:
    """Return a line with the CPU seconds of this process and of those that it started and that ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return f"{_CPU}{sum(usage.ru_utime + usage.ru_stime for usage in usages):.3f}"


def peak_bytes(line: str) -> int | None:
    """Return the bytes that a line of a step's output reports as its peak memory; None for other lines."""
    match = re.fullmatch(rf"{_MEMORY}(\d+)", line.strip())
    return int(match[1]) if match else None


def forked_cpu_seconds(line: str) -> float | None:
    """Return the CPU seconds that a line of a forked step's output reports; None for other lines."""
    match = re.fullmatch(rf"{_CPU}([\d.]+)", line.strip())
    return float(match[1]) if match else None


def rows(line: str) -> tuple[int | None, int | None] | None:
    """Return the rows in and out that a line of a step's output reports; None for other lines."""
    match = re.fullmatch(rf"{_ROWS}(\d+|-) (\d+|-)", line.strip())
    return (_number(match[1]), _number(match[2])) if match else None


def _number(text: str) -> int | None:
    return None if text == "-" else int(text)


def is_cost(line: str) -> bool:
    """Return whether a line is one of these."""
    return line.strip().startswith((_MEMORY, _CPU, _ROWS))
