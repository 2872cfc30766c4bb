"""Runs a step of a local run: ends it after its time limit, and prints its peak memory.

`python -m pipelines.local_run.step_process SECONDS MODULE ARGUMENTS…` runs a module; 0 seconds are no limit.
After that time the kernel ends the process with SIGALRM, even if it hangs in C code; shortly before, the
stacks of its threads are written to standard error. Where a fork server runs, it forks the step.
"""

import atexit
import faulthandler
import json
import os
import runpy
import signal
import socket
import sys
from typing import Final

# The variable with the address of the fork server.
ADDRESS: Final = "PENCHANT_FORK_SERVER"

# From the stacks to the end of the process, in seconds.
_GRACE_S: Final = 1.0
# A shell reports a process that a signal ended with this number plus that of the signal.
SIGNALED: Final = 128


def main() -> None:
    """Run the module of the command line."""
    if address := os.environ.pop(ADDRESS, ""):
        _ask(address, sys.argv[1:])
    else:
        run(*sys.argv[1:])


def run(limit: str, module: str, *arguments: str) -> None:
    """Run a module in this process, for at most `limit` seconds."""
    from pipelines.local_run.step_costs import memory_line

    if seconds := float(limit):
        faulthandler.dump_traceback_later(seconds)
        signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE_S)
    atexit.register(lambda: print(memory_line(), flush=True))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _ask(address: str, arguments: list[str]) -> None:
    """Let the fork server run the step with the streams of this process, and end as the step does."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        socket.send_fds(connection, [b"\0"], [0, 1, 2])
        request = {"arguments": arguments, "environment": dict(os.environ)}
        connection.sendall(json.dumps(request).encode())
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(16)
    code = int(answer or 1)
    sys.exit(SIGNALED - code if code < 0 else code)


if __name__ == "__main__":
    main()
