"""Runs `penchant review watch` as a process of `penchant serve`."""

import os
import time
from pathlib import Path
from typing import Final

from pipelines.servers.server_process import RESTART_DELAY_S, STOP_TIMEOUT_S
from pipelines.settings import Settings
from serving.child_process import ChildProcess

NAME: Final = "alias watcher"


class WatcherProcess:
    """The process that follows the aliases; it is restarted as a server is."""

    def __init__(self, settings: Settings, logs: Path) -> None:
        """Start the process; `logs` is the folder of its log."""
        self._home, self.log = settings.home, logs / "alias_watcher.log"
        self._start()

    def restart(self) -> None:
        """Start the process again."""
        self.stop()  # it has ended; closes its pipes
        self._start()

    @property
    def may_restart(self) -> bool:
        """Whether RESTART_DELAY_S have passed since the last start."""
        return time.monotonic() - self._started_at >= RESTART_DELAY_S

    @property
    def is_running(self) -> bool:
        return self.process.popen.poll() is None

    def exit_message(self) -> str:
        """Return the exit code and where the log is."""
        return f"{NAME} ended with exit code {self.process.popen.wait()}. Full log: {self.log}"

    def stop(self) -> None:
        """Terminate the process; kill it if it does not end in time."""
        self.process.stop(STOP_TIMEOUT_S)

    def _start(self) -> None:
        self._started_at = time.monotonic()
        arguments = ["review", "watch", "--end-with-parent", "--home", str(self._home)]
        self.process = ChildProcess("pipelines", arguments, os.environ, announces=NAME, log=self.log)
