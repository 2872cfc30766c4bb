"""Notices that the SQLite file of the interaction log was deleted or replaced while it is open."""

import logging
from pathlib import Path

from serving.errors import Unavailable
from serving.telemetry.logs import OncePerSecond

logger = logging.getLogger(__name__)
logger.addFilter(OncePerSecond())

# Device and inode of a file.
Identity = tuple[int, int]


class LogFile:
    """The file at `path`; without one, for PostgreSQL, nothing is ever replaced."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.is_open = False  # whether the tables exist in the file `opened`
        self.opened: Identity | None = None

    @property
    def is_replaced(self) -> bool:
        """Whether another file, or none, is at the path of the one that was opened."""
        return self.opened is not None and self._identity() != self.opened

    def open(self) -> None:
        """Remember the file that is at the path now."""
        if self.opened is not None and self._identity() != self.opened:
            logger.warning(
                "the interaction log %s was deleted or replaced: what it had since the last run is lost, "
                "unless you put it back",
                self.path,
            )
        self.opened, self.is_open = self._identity(), True

    def check(self, identity: Identity | None) -> None:
        """Raise Unavailable unless the file at the path is still the one with this identity."""
        if self._identity() != identity:
            self.is_open = False
            raise Unavailable(
                f"the interaction log {self.path} was deleted or replaced during the recording, which may be "
                "lost: retry with the same interaction ids"
            )

    def _identity(self) -> Identity | None:
        if self.path is None:
            return None
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino
