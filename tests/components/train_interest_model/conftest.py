"""Small data sets with an obvious answer: each item is followed by the same one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.train_interest_model.experiment_tracking import Tracker
from feature_repo.attributes import Attributes
from feature_repo.feedback import FeedbackPolicy
from feature_repo.table_schemas import ITEMS, TRAINING_SET

SECOND = 1_000_000
SMALL = {
    "members": 1,
    "item_start": "random",
    "embedding_size": 16,
    "units": 24,
    "history_mean": "off",
    "dropout": 0.0,
    "batch_size": 16 * 12,
    "learning_rate": 0.02,
}
# The training of `learned_cycle`.
LONG: dict[str, Any] = {"epochs": 8.0, "patience": 8}


@dataclass(frozen=True)
class RecordingTracker(Tracker):
    """Records what a training logs."""

    client: Any = None
    run_id: str = "run"
    params: dict[str, Any] = field(default_factory=dict)
    metrics: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    datasets: list[Path] = field(default_factory=list)

    def log_params(self, params: Mapping[str, Any]) -> None:
        self.params.update(params)

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        self.metrics.append((step, dict(metrics)))

    def log_dataset(self, file: Path, context: str, profile: str) -> None:
        self.datasets.append(file)


@dataclass(frozen=True)
class World:
    """A training set and its items on disk."""

    training_set: Path
    items: Path
    item_ids: list[str]


def history_row(
    user: str, split: str, items: Sequence[str], target: str | None = None, **profile: str | float
) -> dict[str, Any]:
    """Return a row of the training set, one interaction a minute; `profile`: the user's attributes."""
    attributes = Attributes.of(profile)
    timestamps = [(1 + position) * 60 * SECOND for position in range(len(items))]
    return {
        "user_id": user,
        "cutoff": (1 + len(items)) * 60 * SECOND,
        "split": split,
        "target_item_id": target,
        "interaction_ids": [f"{user}-{position}" for position in range(len(items))],
        "item_ids": list(items),
        "event_types": ["click" if position % 2 else "view" for position in range(len(items))],
        "values": [float(position % 5) for position in range(len(items))],
        "timestamps": timestamps,
        "attributes": list(attributes.names),
        "attribute_values": list(attributes.values),
    }


def items_table(item_ids: Sequence[str], **columns: Sequence[Any]) -> pa.Table:
    """Return a table with the contract's item columns, null except the ids and `columns`."""
    empty = {name: [None] * len(item_ids) for name in ITEMS.names}
    table = pa.table({**empty, "item_id": list(item_ids)}, schema=ITEMS)
    for name, values in columns.items():
        in_contract = name in ITEMS.names
        column = pa.array(list(values), ITEMS.field(name).type if in_contract else None)
        table = (
            table.set_column(table.column_names.index(name), name, column)
            if in_contract
            else table.append_column(name, column)
        )
    return table


def write_world(directory: Path, rows: Sequence[dict[str, Any]], items: pa.Table) -> World:
    directory.mkdir(parents=True, exist_ok=True)
    training_set, catalog = directory / "training_set.parquet", directory / "items.parquet"
    pq.write_table(pa.Table.from_pylist(list(rows), schema=TRAINING_SET), training_set)
    pq.write_table(items, catalog)
    return World(training_set, catalog, items["item_id"].to_pylist())


def cycle_rows(item_ids: Sequence[str], users: int, length: int, seed: int = 0) -> list[dict[str, Any]]:
    """Return rows of users who follow one cycle of the items from random starts."""
    random = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        start = int(random.integers(len(item_ids)))
        walk = [item_ids[(start + step) % len(item_ids)] for step in range(length + 1)]
        rows.append(history_row(f"u{user}", "train", walk[:-1]))
        rows.append(history_row(f"u{user}", "validation", walk[:-1], walk[-1]))
        rows.append(history_row(f"u{user}", "all", walk))
    return rows


def shuffled_rows(item_ids: Sequence[str], users: int, length: int, seed: int = 0) -> list[dict[str, Any]]:
    """Return the same number of interactions in a random order."""
    random = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        walk = [item_ids[position] for position in random.permutation(len(item_ids))[: length + 1]]
        rows.append(history_row(f"u{user}", "train", walk[:-1]))
        rows.append(history_row(f"u{user}", "validation", walk[:-1], walk[-1]))
    return rows


@pytest.fixture
def tracker() -> RecordingTracker:
    return RecordingTracker()


def empty_export(*arguments: Any) -> None:
    """Write an empty SavedModel: exporting takes longer than the epochs of the trainings here."""
    Path(arguments[-1], "saved_model").mkdir()


@pytest.fixture
def without_export(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.train_interest_model.training.export", empty_export)


@pytest.fixture(scope="session")
def cycle(tmp_path_factory: pytest.TempPathFactory) -> World:
    """60 items in one cycle, followed by 160 users."""
    item_ids = [f"i{position}" for position in range(60)]
    rows = cycle_rows(item_ids, users=160, length=12)
    return write_world(tmp_path_factory.mktemp("cycle"), rows, items_table(item_ids))


@pytest.fixture(scope="session")
def learned_cycle_tracker() -> RecordingTracker:
    """What the training of `learned_cycle` logs."""
    return RecordingTracker()


@pytest.fixture(scope="session")
def learned_cycle(
    cycle: World, learned_cycle_tracker: RecordingTracker, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The output of a training on `cycle`, from which tests serve, refit and start warm."""
    from components.train_interest_model.training import train

    output, settings = tmp_path_factory.mktemp("learned"), {**SMALL, **LONG}
    data = cycle.training_set, cycle.items
    train(*data, "train", settings, output, None, learned_cycle_tracker, FeedbackPolicy())
    return output
