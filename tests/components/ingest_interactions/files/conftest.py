"""Opens made-up files of every kind."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from duckdb import DuckDBPyConnection

from components.ingest_interactions.files.opened_table import OpenedTable
from components.ingest_interactions.files.table_files import open_table
from components.ingest_interactions.reading import Reading


@dataclass
class Folder:
    """A folder to write files into, and a connection that opens them."""

    path: Path
    connection: DuckDBPyConnection

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def open(self, name: str, content: str | bytes | None = None, **options: Any) -> OpenedTable:
        """Write the content if there is any, and open the file, folder or pattern."""
        if content is not None:
            self.write(name, content)
        return open_table(self.connection, str(self.path / name), Reading(**options))

    def read(self, name: str, content: str | bytes | None = None, **options: Any) -> list[dict[str, Any]]:
        """Return the rows as dictionaries, without their numbers."""
        return rows(self.open(name, content, **options))


def rows(opened: OpenedTable) -> list[dict[str, Any]]:
    """Return the rows as dictionaries in order; check that they are numbered from 1 on."""
    found = opened.relation.to_arrow_table().to_pylist()
    assert [row.pop("source_row") for row in found] == list(range(1, len(found) + 1))
    assert len(found) == opened.rows
    return found


@pytest.fixture
def folder(tmp_path: Path, connection: DuckDBPyConnection) -> Folder:
    return Folder(tmp_path, connection)
