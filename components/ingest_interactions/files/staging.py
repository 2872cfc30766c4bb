"""A temporary folder for downloaded, unpacked and converted copies of a user's files."""

import itertools
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from duckdb import DuckDBPyConnection

from components.ingest_interactions.duckdb_session import literal


@dataclass(frozen=True)
class Staging:
    """The folder lives as long as the temporary directory of the connection."""

    folder: Path
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    @classmethod
    def beside_spill(cls, connection: DuckDBPyConnection) -> Self:
        """Make a folder in the directory in which the connection spills."""
        (spill,) = connection.execute("SELECT current_setting('temp_directory')").fetchall()[0]
        Path(spill).mkdir(parents=True, exist_ok=True)
        return cls(Path(tempfile.mkdtemp(prefix="files-", dir=spill)))

    def new(self, name: str = "file") -> Path:
        """Return a path that no other file has."""
        return self.folder / f"{name}-{next(self._numbers)}"


def pattern(path: Path) -> str:
    """Return an SQL string for DuckDB's readers, which take `*`, `?` and `[1]` in a path for a pattern."""
    escaped = "".join(f"[{character}]" if character in "*?[" else character for character in str(path))
    return literal(escaped)


def patterns(paths: list[Path]) -> str:
    """Return an SQL list of `pattern`s."""
    return "[" + ", ".join(pattern(path) for path in paths) + "]"
