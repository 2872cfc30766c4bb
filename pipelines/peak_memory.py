"""The peak memory of this process."""

import re
import resource
import sys
from pathlib import Path


def peak_memory() -> int:
    """Return the peak resident memory of this process, in bytes.

    On Linux getrusage includes the memory of the parent at the time of the fork; VmHWM does not once the
    process has executed a program. A process that was only forked shares the pages of its parent: both
    include them, from its start.
    """
    status = Path("/proc/self/status")
    if status.exists() and (match := re.search(r"VmHWM:\s*(\d+) kB", status.read_text())):
        return int(match[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
