"""Interest states are written to the online store as Feast writes them."""

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from components.feast_backend import feast_backend
from components.materialize_features.interest_states import write_interest_states
from components.materialize_features.materialization import materialize, write
from components.materialize_features.online_states import write_online
from feature_repo.attributes import Attributes
from feature_repo.contract import USER_INTEREST_STATE
from feature_repo.histories import History
from feature_repo.interest_state import InterestBatch
from feature_repo.store import open_store
from tests.feature_repo.planted import START, build_warehouse, interaction

PLANTED = [interaction(user, f"i{at}", at) for user in ("ann", "bob") for at in (10, 20, 30)]


def compute(histories: Sequence[History], users: Sequence[Attributes]) -> InterestBatch:
    """Return states that differ by user."""
    rows = np.arange(1, 1 + len(histories), dtype=np.float32)[:, None]
    return InterestBatch(
        rows * np.array([0.5, -1.0], np.float32),
        rows * np.array([1.0, 2.0, 3.0], np.float32),
        np.full(len(histories), START),
    )


def rows(database: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        table = f'SELECT * FROM "penchant_{USER_INTEREST_STATE}" ORDER BY entity_key, feature_name'
        return connection.execute(table).fetchall()


def test_the_rows_in_sqlite_equal_those_of_feast(tmp_path: Path) -> None:
    warehouse = build_warehouse(tmp_path, PLANTED, START + 1_000)
    materialize(warehouse.addresses, warehouse.as_of)
    event_time = write_interest_states(7, warehouse.addresses.features, compute)
    online = Path(warehouse.addresses.online_store)
    by_feast = Path(shutil.copy(online, tmp_path / "by_feast.db"))

    write_online(warehouse.addresses.features, str(online), event_time)
    own = rows(online)
    shutil.copy(by_feast, online)
    with feast_backend():
        write(open_store(warehouse.addresses), event_time, USER_INTEREST_STATE)

    assert len(own) == 2 * 5
    assert own == rows(online)
