"""Hand-made interactions as the files that build_features reads, and the features built from them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from components.build_features.feature_tables import build
from components.compute.address import Compute
from feature_repo.feedback import FeedbackPolicy
from feature_repo.histories import History
from feature_repo.interaction import Interaction
from feature_repo.store_addresses import FeatureStoreAddresses
from feature_repo.table_schemas import INTERACTIONS, TIMESTAMP, USERS
from tests.compute import compute

# 2023-11-14 22:13:20 UTC, the origin of planted times.
START = 1_700_000_000_000_000
DAY = 86_400_000_000


def interaction(user: str, item: str, at: int, id: str = "", value: float = 1.0) -> Interaction:
    """Return an interaction `at` µs after START."""
    return Interaction(id or f"{user}-{item}-{at:09}", user, item, "view", START + at, value)


def search(user: str, query: str, at: int, id: str = "") -> Interaction:
    """Return a search by words `at` µs after START."""
    return Interaction(id or f"{user}-{query}-{at:09}", user, "", "search", START + at, query=query)


def interactions_table(interactions: Iterable[Interaction]) -> pa.Table:
    rows = list(interactions)
    columns = {name: [getattr(row, name) for row in rows] for name in INTERACTIONS.names}
    columns |= {name: [text or None for text in columns[name]] for name in ("item_id", "query")}
    columns["value"] = [None if value != value else value for value in columns["value"]]
    columns["timestamp"] = pa.array(columns["timestamp"], pa.int64()).cast(TIMESTAMP)
    # Parquet readers make every column nullable, so the test data does too.
    return pa.table(columns, schema=pa.schema([(field.name, field.type) for field in INTERACTIONS]))


def history_before(interactions: Iterable[Interaction], user: str, cutoff: int, max_history: int) -> History:
    """Return the expected history, built as serving builds it."""
    before = (row for row in interactions if row.user_id == user and row.timestamp < cutoff)
    return History().extend(before, max_history)


@dataclass(frozen=True)
class Warehouse:
    """A set of built features."""

    directory: Path
    features: str
    as_of: int

    @property
    def spine(self) -> Path:
        return self.directory / "spine.parquet"

    @property
    def addresses(self) -> FeatureStoreAddresses:
        return FeatureStoreAddresses(self.features, self.registry, self.online_store)

    @property
    def registry(self) -> str:
        return str(self.directory / "registry.db")

    @property
    def online_store(self) -> str:
        return str(self.directory / "online_store.db")


def build_warehouse(
    directory: Path,
    interactions: Sequence[Interaction],
    as_of: int,
    protocol: str = "leave-one-out",
    users: pa.Table | None = None,
    where: Compute | None = None,
) -> Warehouse:
    """Write the sources and build the features as of `as_of` (µs).

    Args:
        where: the engine; default: the one of the tests.
    """
    directory.mkdir(parents=True, exist_ok=True)
    tables = {
        "interactions": interactions_table(interactions),
        "users": users if users is not None else USERS.empty_table(),
    }
    for name, table in tables.items():
        pq.write_table(table, directory / f"{name}.parquet")
    features = build(
        directory / "interactions.parquet",
        directory / "users.parquet",
        FeedbackPolicy(),
        as_of,
        protocol,
        str(directory / "warehouse"),
        directory / "spine.parquet",
        where or compute(),
    )
    return Warehouse(directory, features, as_of)
