"""Runs a step of a local run: ends it after its time limit, and prints its peak memory and its rows.

`python -m pipelines.local_run.step_process SECONDS MODULE ARGUMENTS…` runs a module; 0 seconds are no limit.
After that time the kernel ends the process with SIGALRM, even if it hangs in C code; shortly before, the
stacks of its threads are written to standard error. Where a fork server runs, it forks the step; the time
that the step waits for it counts too.
"""

import atexit
import faulthandler
import json
import math
import os
import runpy
import select
import signal
import socket
import sys
import time
from typing import Final

# The variable with the address of the fork server.
ADDRESS: Final = "PENCHANT_FORK_SERVER"
# The answers of the fork server: it reads the request, it starts the step; then it sends the exit code.
READS: Final = b"r"
STARTS: Final = b"s"

# From the stacks to the end of the process, in seconds.
_GRACE_S: Final = 1.0
# The shortest limit, in seconds, for a step that waited until its limit: 0 would be none.
_SHORTEST_S: Final = 0.01
# A shell reports a process that a signal ended with this number plus that of the signal.
SIGNALED: Final = 128


def main() -> None:
    """Run the module of the command line."""
    seconds, *arguments = sys.argv[1:]
    end = time.monotonic() + (float(seconds) or math.inf)
    end_after(end)
    if address := os.environ.pop(ADDRESS, ""):
        _ask(address, end, arguments)
    run(*arguments)


def end_after(end: float) -> None:
    """End this process at a time of the monotonic clock, in seconds; infinity is no limit."""
    if math.isfinite(end):
        seconds = max(end - time.monotonic(), _SHORTEST_S)
        faulthandler.dump_traceback_later(seconds)
        signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE_S)


def run(module: str, *arguments: str) -> None:
    """Run a module in this process."""
    from pipelines.local_run.step_costs import memory_line, rows_line

    atexit.register(lambda: print(rows_line(arguments), flush=True))
    atexit.register(lambda: print(memory_line(), flush=True))  # the first one: what counts rows is not in it
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def is_abandoned() -> bool:
    """Return whether nobody reads the output any more: the runner was killed, and with it the pipe ended."""
    output = select.poll()
    output.register(1, 0)  # errors alone, which need no registration
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in output.poll(0))


def _ask(address: str, end: float, arguments: list[str]) -> None:
    """Let the fork server run the step with the streams of this process, and end as the step does.

    Return if the server has ended before it started the step. A step whose runner was killed meanwhile does
    not start.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(address)
            # Streams in the queue of a server that hangs would stay open after the end of this process.
            connection.recv(len(READS))
            socket.send_fds(connection, [b"\0"], [0, 1, 2])
            request = {"arguments": arguments, "end": end, "environment": dict(os.environ)}
            connection.sendall(json.dumps(request).encode())
            connection.shutdown(socket.SHUT_WR)
            starts = connection.recv(len(STARTS))
        except ConnectionError:
            starts = b""
        if not starts:
            if is_abandoned():
                sys.exit(1)
            print("the fork server has ended: this step imports what it needs", file=sys.stderr, flush=True)
            return
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_REAL, 0)  # from now on the limit ends the step
        code = connection.recv(16)
    if not code:
        sys.exit("the process that waited for this step was killed (often: too little memory): run it again")
    sys.exit(SIGNALED - int(code) if int(code) < 0 else int(code))


if __name__ == "__main__":
    main()
