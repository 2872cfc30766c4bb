"""A server process that ends with this one, and that prints its addresses when it listens."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from threading import Event, Thread
from typing import Final, TextIO

# A line of a server's output, such as "recommender on 127.0.0.1:50051".
_ANNOUNCEMENT: Final = re.compile(r"(recommender|metrics|model server) on (\S+:\d+)")

# Interval at which a wait looks for a reason to stop.
_CHECK_S: Final = 0.1


class ChildProcess:
    """A process `python -m MODULE`, which calls parent_process.end_with_parent.

    A thread reads its output: the addresses that it prints, and other lines for the log. So neither a library
    that prints a line first, nor a full pipe later, confuses or stops a server.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        announces: str,
        log: Path | None = None,
    ) -> None:
        """Start the process.

        Args:
            announces: the name with which the process announces that it listens, such as "recommender".
            log: a file to append its errors and other lines of its output to; None is the standard error.
        """
        self._log = log.open("a", buffering=1) if log else None
        self.popen = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            errors="replace",
        )
        self.addresses: dict[str, str] = {}  # name -> host:port
        self._announces = announces
        self._settled = Event()  # it listens, or its output has ended
        self._reader = Thread(target=self._read, name=f"output of {module}", daemon=True)
        self._reader.start()

    def wait_until_listening(self, is_stopped: Callable[[], bool] = lambda: False) -> str | None:
        """Return the address; None when the process ended instead, or when `is_stopped` returns true."""
        while not self._settled.wait(_CHECK_S):
            if is_stopped():
                return None
        return self.addresses.get(self._announces)

    def stop(self, timeout_s: float) -> None:
        """Terminate the process; kill it if it does not end in time."""
        self.terminate()
        self.wait_or_kill(time.monotonic() + timeout_s)

    def terminate(self) -> None:
        self.popen.terminate()

    def wait_or_kill(self, deadline: float) -> None:
        """Wait until the process ends; kill it at the deadline, a time of time.monotonic."""
        try:
            self.popen.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        assert self.popen.stdin
        self.popen.stdin.close()
        self._reader.join()

    def _read(self) -> None:
        assert self.popen.stdout
        try:
            with self.popen.stdout as output, self._log or nullcontext(sys.stderr) as log:
                for line in output:
                    self._read_line(line, log)
        finally:
            self._settled.set()

    def _read_line(self, line: str, log: TextIO) -> None:
        match = _ANNOUNCEMENT.fullmatch(line.strip())
        if match is None:
            log.write(line)
            return
        self.addresses[match[1]] = match[2]
        if match[1] == self._announces:
            self._settled.set()
