"""A process of `penchant serve`: whether it runs, when it may start again, and how it is stopped."""

import time
from typing import Final

from serving.process.child_process import ChildProcess

STOP_TIMEOUT_S: Final = 10.0

# The least time between two starts of a process, so that one that fails at once is not restarted in a loop.
RESTART_DELAY_S: Final = 5.0


class SupervisedProcess:
    """The base of the processes that `penchant serve` starts and restarts."""

    process: ChildProcess
    _started_at: float

    @property
    def may_restart(self) -> bool:
        """Whether RESTART_DELAY_S have passed since the last start."""
        return time.monotonic() - self._started_at >= RESTART_DELAY_S

    @property
    def is_running(self) -> bool:
        return self.process.popen.poll() is None

    def stop(self) -> None:
        """Terminate the process; kill it if it does not end in time."""
        self.process.stop(STOP_TIMEOUT_S)

    def _supervise(self, process: ChildProcess) -> None:
        """Take a process that was just started."""
        self.process, self._started_at = process, time.monotonic()
