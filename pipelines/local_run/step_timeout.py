"""Ends a step of a local run that takes too long.

`python -m pipelines.local_run.step_timeout SECONDS MODULE ARGUMENTS…` runs a module in this process. After
that time the kernel ends the process with SIGALRM, even if it hangs in C code; shortly before, the stacks of
its threads are written to standard error.
"""

import faulthandler
import runpy
import signal
import sys
from typing import Final

# From the stacks to the end of the process, in seconds.
_GRACE_S: Final = 1.0


def main() -> None:
    """Run the module of the command line."""
    _, seconds, module, *arguments = sys.argv
    faulthandler.dump_traceback_later(float(seconds))
    signal.setitimer(signal.ITIMER_REAL, float(seconds) + _GRACE_S)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
