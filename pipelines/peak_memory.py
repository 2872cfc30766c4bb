"""The peak memory of this process."""

import re
import resource
import sys
from pathlib import Path


def peak_memory() -> int:
    """Return the peak resident memory of this process, in bytes.

    On Linux getrusage includes the memory of the parent at the time of the fork; VmHWM does not.
    """
    status = Path("/proc/self/status")
    if status.exists() and (match := re.search(r"VmHWM:\s*(\d+) kB", status.read_text())):
        return int(match[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
