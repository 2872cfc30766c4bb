"""The whole step: its files, a second run, and its errors."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.build_features import feature_tables
from components.errors import StepError
from feature_repo.feedback import FeedbackPolicy
from feature_repo.table_schemas import TIMESTAMP
from tests.feature_repo.planted import START, Warehouse, build_warehouse, interaction

AS_OF = START + 1_000
PLANTED = [interaction(user, f"i{at}", at) for user in ("ann", "bob") for at in (10, 20, 30, 40)]
USERS = pa.table({"user_id": ["ann", "zoe"], "plan": ["free", "paid"]})


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    return build_warehouse(tmp_path_factory.mktemp("warehouse"), PLANTED, AS_OF, users=USERS)


def table(warehouse: Warehouse, name: str) -> pa.Table:
    return pq.read_table(f"{warehouse.features}/{name}.parquet")


def test_tables_have_the_time_columns_of_feast(warehouse: Warehouse) -> None:
    assert warehouse.features == f"{warehouse.directory}/warehouse/features"
    for name in ("user_history", "user_profile"):
        schema = table(warehouse, name).schema
        assert schema.field("event_timestamp").type == schema.field("created").type == TIMESTAMP


def test_histories_have_their_cutoff_as_event_time_and_are_ordered_by_user(warehouse: Warehouse) -> None:
    history = table(warehouse, "user_history")
    cutoffs = [at - START for at in history["event_timestamp"].cast(pa.int64()).to_pylist()]
    assert list(zip(history["user_id"].to_pylist(), cutoffs, strict=True)) == [
        *(("ann", at) for at in (30, 40, 1_000)),
        *(("bob", at) for at in (30, 40, 1_000)),
        ("zoe", 1_000),
    ]
    assert history["item_ids"].to_pylist()[:3] == [
        ["i10", "i20"],
        ["i10", "i20", "i30"],
        ["i10", "i20", "i30", "i40"],
    ]
    assert history["item_ids"].to_pylist()[-1] == []
    assert set(history["as_of"].to_pylist()) == {AS_OF}


def test_no_table_uses_interactions_at_the_snapshot_or_later(tmp_path: Path, warehouse: Warehouse) -> None:
    late = [interaction("ann", "late", 1_000), interaction("cleo", "late", 5_000)]
    other = build_warehouse(tmp_path, PLANTED + late, AS_OF, users=USERS)
    for name in ("user_history", "user_profile"):
        assert table(other, name) == table(warehouse, name)
    assert pq.read_table(other.spine) == pq.read_table(warehouse.spine)


def test_no_table_uses_impressions(tmp_path: Path, warehouse: Warehouse) -> None:
    impressions = [
        replace(interaction(user, item, at), event_type="impression")
        for user, item, at in [("ann", "i10", 35), ("bob", "i20", 990), ("zoe", "i30", 15)]
    ]
    other = build_warehouse(tmp_path, PLANTED + impressions, AS_OF, users=USERS)
    for name in ("user_history", "user_profile"):
        assert table(other, name) == table(warehouse, name)
    assert pq.read_table(other.spine) == pq.read_table(warehouse.spine)


def test_a_second_run_writes_the_same_files_and_no_others(tmp_path: Path, warehouse: Warehouse) -> None:
    for _ in range(2):
        again = build_warehouse(tmp_path, list(reversed(PLANTED)), AS_OF, users=USERS)
    for name in ("user_history", "user_profile"):
        assert table(again, name) == table(warehouse, name)
    assert sorted(file.name for file in Path(again.features).iterdir()) == [
        "user_history.parquet",
        "user_profile.parquet",
    ]


def test_a_failed_run_leaves_the_tables_of_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = build_warehouse(tmp_path, PLANTED, AS_OF)
    files = {file: file.read_bytes() for file in Path(before.features).iterdir()}

    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(feature_tables, "build_histories", fail)
    with pytest.raises(OSError, match="no space"):
        build_warehouse(tmp_path, PLANTED[:4], AS_OF + 1)
    assert {file: file.read_bytes() for file in Path(before.features).iterdir()} == files


def test_too_few_interactions_are_rejected_with_the_minimum(tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"'validation'.*users with interactions at 3 different times"):
        build_warehouse(tmp_path, PLANTED[:2], AS_OF)
    with pytest.raises(StepError, match="no row for the split 'all'"):
        build_warehouse(tmp_path, [], AS_OF)


def test_impressions_alone_are_rejected_by_the_split_by_time(tmp_path: Path) -> None:
    impressions = [replace(row, event_type="impression") for row in PLANTED]
    with pytest.raises(StepError, match=r"no interactions before .* except impressions"):
        build_warehouse(tmp_path, impressions, AS_OF, protocol="time")


def test_an_unreadable_file_is_rejected_with_its_path(tmp_path: Path) -> None:
    build_warehouse(tmp_path, PLANTED, AS_OF)
    interactions, users = tmp_path / "interactions.parquet", tmp_path / "users.parquet"
    outputs = str(tmp_path / "warehouse"), tmp_path / "spine.parquet"
    users.write_bytes(b"PAR1 but not really")
    with pytest.raises(StepError, match=f"users: expected a readable Parquet file at {users}"):
        feature_tables.build(interactions, users, FeedbackPolicy(), AS_OF, "time", *outputs)
    users.unlink()
    with pytest.raises(StepError, match="users: expected a readable Parquet file"):
        feature_tables.build(interactions, users, FeedbackPolicy(), AS_OF, "time", *outputs)
