"""Runs `penchant review watch` as a process of `penchant serve`."""

import os
from pathlib import Path
from typing import Final

from pipelines.servers.supervised_process import SupervisedProcess
from pipelines.settings import Settings
from serving.process.child_process import ChildProcess

NAME: Final = "alias watcher"


class WatcherProcess(SupervisedProcess):
    """The process that follows the aliases; it is restarted as a server is."""

    def __init__(self, settings: Settings, logs: Path) -> None:
        """Start the process; `logs` is the folder of its log."""
        self._home, self.log = settings.home, logs / "alias_watcher.log"
        self._start()

    def restart(self) -> None:
        """Start the process again."""
        self.stop()  # it has ended; closes its pipes
        self._start()

    def exit_message(self) -> str:
        """Return the exit code and where the log is."""
        return f"{NAME} ended with exit code {self.process.popen.wait()}. Full log: {self.log}"

    def _start(self) -> None:
        arguments = ["review", "watch", "--end-with-parent", "--home", str(self._home)]
        self._supervise(ChildProcess("pipelines", arguments, os.environ, announces=NAME, log=self.log))
