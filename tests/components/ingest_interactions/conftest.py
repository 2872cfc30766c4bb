"""A home directory to ingest into."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from duckdb import DuckDBPyConnection

from components.ingest_interactions.duckdb_session import connect
from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
from components.ingest_interactions.ingestion import Outputs, Sources, ingest
from feature_repo.feedback import FeedbackPolicy


@dataclass
class Home:
    """A directory with a warehouse and the snapshot of the last ingest."""

    root: Path

    @property
    def warehouse(self) -> Path:
        return self.root / "warehouse"

    def ingest(self, options: dict[str, Any] | None = None, /, **sources: Any) -> int:
        feedback = FeedbackOptions.parse(options or {})
        pseudonyms = sources.pop("pseudonyms", None)
        return ingest(Sources(**sources), feedback, str(self.warehouse), self.outputs, pseudonyms=pseudonyms)

    @property
    def outputs(self) -> Outputs:
        names = ("interactions.parquet", "items.parquet", "users.parquet", "feedback.json")
        return Outputs(*(self.root / name for name in names))

    @property
    def feedback(self) -> FeedbackPolicy:
        return FeedbackPolicy.read(self.root / "feedback.json")

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


@pytest.fixture(scope="module")
def connection() -> Iterator[DuckDBPyConnection]:
    """A connection for all tests of a module, because opening one takes longer than most of them."""
    with connect() as opened:
        yield opened


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)
