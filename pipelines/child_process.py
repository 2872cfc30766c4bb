"""Starts, restarts and stops a server process on this machine."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Final

from pipelines.errors import RunError
from pipelines.settings import Settings

STOP_TIMEOUT_S: Final = 10.0

# The least time between two starts of a server, so that one that fails at once is not restarted in a loop.
RESTART_DELAY_S: Final = 5.0

# Settings that the servers share with the pipelines.
SHARED_SETTINGS: Final = ("releases", "interaction_log", "features", "registry", "online_store")

# Port -> arguments and environment of `python -m serving.<module>`.
Command = Callable[[int], tuple[list[str], dict[str, str]]]


class ServerProcess:
    """A server process that has printed its address; a restart uses the same address."""

    def __init__(self, module: str, command: Command, port: int, settings: Settings) -> None:
        """Start the server and wait until it prints its address.

        Raises:
            RunError: the process ended instead.
        """
        self.module, self._command, self._settings = module, command, settings
        self.log = settings.home / "runs" / f"{module}.log"
        self.log.unlink(missing_ok=True)
        self.address = self._start(port)

    def restart(self) -> None:
        """Start the server again, on the same port.

        Raises:
            RunError: the process ended instead.
        """
        self._start(int(self.address.rsplit(":", 1)[1]))

    @property
    def may_restart(self) -> bool:
        """Whether RESTART_DELAY_S have passed since the last start."""
        return time.monotonic() - self._started_at >= RESTART_DELAY_S

    @property
    def is_running(self) -> bool:
        return self.popen.poll() is None

    def exit_message(self) -> str:
        """Return the exit code and the last line of the log."""
        code = self.popen.wait()
        lines = self.log.read_text().strip().splitlines() or ["it printed no reason"]
        return f"{self.module} ended with exit code {code}: {lines[-1]}\nFull log: {self.log}"

    def stop(self) -> None:
        """Terminate the process; kill it if it does not end in time."""
        self.popen.terminate()
        try:
            self.popen.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        assert self.popen.stdout
        self.popen.stdout.close()

    def _start(self, port: int) -> str:
        shared = {f"PENCHANT_{name.upper()}": getattr(self._settings, name) for name in SHARED_SETTINGS}
        arguments, environment = self._command(port)
        with self.log.open("a") as errors:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", f"serving.{self.module}", *arguments],
                env={**os.environ, **shared, **environment},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        try:
            assert self.popen.stdout
            line = self.popen.stdout.readline()
            if " on " not in line:
                raise RunError(self.exit_message())
        except BaseException:  # KeyboardInterrupt too: no process may stay behind
            self.stop()
            raise
        self._started_at = time.monotonic()
        return line.split(" on ")[1].split()[0]
