"""A server of `penchant serve`: starts it with the settings, restarts it on its port, and keeps its log."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pipelines.errors import RunError
from pipelines.servers.supervised_process import SupervisedProcess
from pipelines.settings import Settings
from serving.process.child_process import ChildProcess

# Settings that the servers share with the pipelines.
SHARED_SETTINGS: Final = ("home", "releases", "interaction_log", "features", "registry", "online_store")

# What each server prints before its address when it listens.
ANNOUNCES: Final = {"model_server": "model server", "server": "recommender"}

# Port -> arguments and environment of `python -m serving.<module>`.
Command = Callable[[int], tuple[list[str], dict[str, str]]]


class ServerProcess(SupervisedProcess):
    """A server process that has printed its address; a restart uses the same address."""

    def __init__(self, module: str, command: Command, port: int, settings: Settings, logs: Path) -> None:
        """Start the server and wait until it prints its address.

        Args:
            logs: the folder of its log, `<module>.log`.

        Raises:
            RunError: the process ended instead.
        """
        self.module, self._command, self._settings = module, command, settings
        self.log = logs / f"{module}.log"
        self.address = self._start(port)

    def restart(self) -> None:
        """Start the server again, on the same port.

        Raises:
            RunError: the process ended instead.
        """
        self.stop()  # it has ended; closes its pipes
        self._start(int(self.address.rsplit(":", 1)[1]))

    def exit_message(self) -> str:
        """Return the exit code and the last line of the log."""
        code = self.process.popen.wait()
        lines = self.log.read_text().strip().splitlines() or ["it printed no reason"]
        return f"{self.module} ended with exit code {code}: {lines[-1]}\nFull log: {self.log}"

    def _start(self, port: int) -> str:
        shared = {f"PENCHANT_{name.upper()}": str(getattr(self._settings, name)) for name in SHARED_SETTINGS}
        arguments, environment = self._command(port)
        module, variables = f"serving.{self.module}", {**os.environ, **shared, **environment}
        self._supervise(ChildProcess(module, arguments, variables, ANNOUNCES[self.module], self.log))
        try:
            address = self.process.wait_until_listening()
            if address is None:
                raise RunError(self.exit_message())
        except BaseException:  # KeyboardInterrupt too: no process may stay behind
            self.stop()
            raise
        return address
