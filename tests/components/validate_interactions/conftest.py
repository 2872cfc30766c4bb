"""A snapshot of valid interactions to plant faults in, and a way to validate it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.validate_interactions.rows import QUARANTINE
from components.validate_interactions.validation import validate
from feature_repo.feedback import FeedbackPolicy
from feature_repo.table_schemas import INTERACTIONS, ITEMS, USERS

AS_OF = datetime(2024, 6, 1, tzinfo=UTC)
NULLABLE = pa.schema(list(QUARANTINE)[: len(INTERACTIONS)])


def valid_rows(count: int = 200) -> list[dict[str, Any]]:
    """Return ratings like those of MovieLens: each user rates 20 different items within 20 seconds."""
    draw = np.random.default_rng(0)
    return [
        {
            "interaction_id": f"i{n}",
            "user_id": f"user {n // 20}",
            "item_id": f"item {n % 20}",
            "event_type": "rate",
            "value": float(draw.integers(1, 6)),
            "timestamp": AS_OF - timedelta(days=400 - n // 20, seconds=20 - n % 20),
            "domain": None,
            "query": None,
        }
        for n in range(count)
    ]


@dataclass
class Snapshot:
    """Rows in memory, and the files that a validation writes."""

    root: Path
    rows: list[dict[str, Any]] = field(default_factory=valid_rows)
    schema: pa.Schema = NULLABLE
    items: list[dict[str, Any]] | None = None
    users: list[dict[str, Any]] | None = None
    feedback: FeedbackPolicy = field(default_factory=FeedbackPolicy)

    def validate(self, max_failed_share: float = 0.05) -> dict[str, int | float]:
        used_ids = {name: {row[name] for row in self.rows} - {None} for name in ("item_id", "user_id")}
        items = self.items or [{"item_id": item} for item in sorted(used_ids["item_id"])]
        users = self.users or [{"user_id": user} for user in sorted(used_ids["user_id"])]
        tables = {
            "interactions": pa.Table.from_pylist(self.rows, self.schema),
            "items": pa.Table.from_pylist(items, ITEMS),
            "users": pa.Table.from_pylist(users, USERS.append(pa.field("age", pa.float64()))),
        }
        for name, table in tables.items():
            pq.write_table(table, self.root / f"{name}.parquet")
        return validate(
            self.root / "interactions.parquet",
            self.root / "items.parquet",
            self.root / "users.parquet",
            self.feedback,
            round(AS_OF.timestamp() * 1_000_000),
            str(self.root / "warehouse"),
            max_failed_share,
            valid_interactions=self.root / "out" / "valid.parquet",
            quarantine=self.root / "out" / "quarantine.parquet",
            data_docs=self.root / "out" / "docs.html",
        )

    @property
    def valid(self) -> pa.Table:
        return pq.read_table(self.root / "out" / "valid.parquet")

    @property
    def quarantine(self) -> dict[str, list[str]]:
        """Return interaction id -> reasons."""
        rows = pq.read_table(self.root / "out" / "quarantine.parquet").to_pylist()
        return {row["interaction_id"]: row["reasons"] for row in rows}

    @property
    def docs(self) -> str:
        return (self.root / "out" / "docs.html").read_text(encoding="utf-8")


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    return Snapshot(tmp_path)
