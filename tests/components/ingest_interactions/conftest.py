"""A home directory to ingest into."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.ingest_interactions.ingestion import Sources, ingest


@dataclass
class Home:
    """A directory with a warehouse and the snapshot of the last ingest."""

    root: Path

    @property
    def warehouse(self) -> Path:
        return self.root / "warehouse"

    def ingest(self, **sources: Any) -> int:
        files = (self.root / f"{table}.parquet" for table in ("interactions", "items", "users"))
        return ingest(Sources(**sources), str(self.warehouse), *files)

    def table(self, name: str) -> pa.Table:
        return pq.read_table(self.root / f"{name}.parquet")

    def rows(self, name: str) -> list[dict[str, Any]]:
        return self.table(name).to_pylist()

    def write(self, name: str, text: str) -> str:
        """Write a file; return its path."""
        path = self.root / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def write_parquet(self, name: str, columns: dict[str, Any]) -> str:
        path = self.root / name
        pq.write_table(pa.table(columns), path)
        return str(path)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)
