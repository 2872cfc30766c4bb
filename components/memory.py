"""The memory that a step may use, and a check before it reads more than fits."""

import os
from pathlib import Path
from typing import Final

from components.errors import StepError
from components.progress import report

# The limit of a container, in bytes, or "max": version 2 and 1 of Linux' control groups.
_CONTAINER_LIMITS: Final = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)

# DuckDB spills to disk above this many bytes, or above this share of what there is.
_DUCKDB_BYTES: Final = 4_000_000_000
_DUCKDB_SHARE: Final = 0.6


def memory_limit() -> int:
    """Return the bytes of memory that this process can have: of its container, else of the machine."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in _CONTAINER_LIMITS:
        if file.exists() and (text := file.read_text().strip()).isdigit():
            limits.append(int(text))
    return min(limits)


def duckdb_memory_limit() -> str:
    """Return the memory limit of a DuckDB connection, so that a step fits a small machine or pod."""
    return f"{min(_DUCKDB_BYTES, int(_DUCKDB_SHARE * memory_limit()))}B"


def check_memory(step: str, size: str, needed: float, advice: str) -> None:
    """Report how many bytes a step will take, before it begins.

    Args:
        size: what the estimate depends on, such as "1,000 items".
        needed: the estimate, bytes.
        advice: which setting changes it.

    Raises:
        StepError: it is more than this process can have.
    """
    estimate, limit = f"{step}: {size} take about {needed / 1e9:.1f} GB of memory", memory_limit()
    if needed > limit:
        raise StepError(f"{estimate}, and this process can have {limit / 1e9:.1f} GB: {advice}")
    report(estimate)
