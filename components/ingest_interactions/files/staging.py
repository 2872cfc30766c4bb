"""A temporary folder for downloaded, unpacked and converted copies of a user's files."""

import itertools
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Staging:
    """Folders that live as long as the temporary directory of the connection.

    `downloads` is the same one for all tables of a connection, so that a remote file is downloaded once.
    """

    folder: Path
    downloads: Path
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    @classmethod
    def beside_spill(cls, connection: DuckDBPyConnection) -> Self:
        """Make a folder in the directory in which the connection spills."""
        (spill,) = connection.execute("SELECT current_setting('temp_directory')").fetchall()[0]
        downloads = Path(spill) / "downloads"
        downloads.mkdir(parents=True, exist_ok=True)
        return cls(Path(tempfile.mkdtemp(prefix="files-", dir=spill)), downloads)

    def new(self, name: str = "file") -> Path:
        """Return a path that no other file has."""
        return self.folder / f"{name}-{next(self._numbers)}"
