"""Runs a step of a local run in this process: ends it after its time limit, and prints its peak memory.

`python -m pipelines.local_run.step_process SECONDS MODULE ARGUMENTS…` runs a module; 0 seconds are no limit.
After that time the kernel ends the process with SIGALRM, even if it hangs in C code; shortly before, the
stacks of its threads are written to standard error.
"""

import atexit
import faulthandler
import runpy
import signal
import sys
from typing import Final

from pipelines.peak_memory import LINE, peak_memory

# From the stacks to the end of the process, in seconds.
_GRACE_S: Final = 1.0


def main() -> None:
    """Run the module of the command line."""
    _, limit, module, *arguments = sys.argv
    if seconds := float(limit):
        faulthandler.dump_traceback_later(seconds)
        signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE_S)
    atexit.register(lambda: print(f"{LINE}{peak_memory()}", flush=True))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
