"""The training set, fetched with Feast: exact, in order, without future interactions."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.errors import StepError
from components.fetch_training_set import training_set
from components.fetch_training_set.training_set import fetch
from feature_repo.table_schemas import TRAINING_SET
from tests.compute import compute
from tests.feature_repo.planted import START, Warehouse, build_warehouse, history_before, interaction

AS_OF = START + 1_000
TIMES = (10, 20, 30, 40)
PAST = [interaction(user, f"i{at}", at, id=f"{user}-{at}-m") for user in ("bob", "ann") for at in TIMES]
# A second interaction at these times, with an id that sorts first: no history with this cutoff has it.
TIES = [interaction(user, f"tie{at}", at, id=f"{user}-{at}-a") for user in ("bob", "ann") for at in (30, 40)]
FUTURE = [interaction(user, "future", at) for user in ("bob", "ann") for at in (1_000, 2_000)]


def run(warehouse: Warehouse) -> tuple[pa.Table, dict[str, int | str]]:
    file = warehouse.directory / "training_set.parquet"
    metadata = fetch(warehouse.spine, warehouse.addresses, file, compute())
    return pq.read_table(file), metadata


@pytest.fixture(scope="module")
def warehouse_with_leaks(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """A warehouse with planted interactions at the cutoffs and after the snapshot."""
    return build_warehouse(tmp_path_factory.mktemp("leaky"), PAST + TIES + FUTURE, AS_OF)


def test_no_row_has_an_interaction_at_or_after_its_cutoff(warehouse_with_leaks: Warehouse) -> None:
    table, _ = run(warehouse_with_leaks)
    rows = table.to_pylist()
    cutoffs = table["cutoff"].cast(pa.int64()).to_pylist()
    assert {row["split"] for row in rows} == {"train", "validation", "test", "all"}
    for row, cutoff in zip(rows, cutoffs, strict=True):
        assert all(timestamp < cutoff for timestamp in row["timestamps"])
        assert "future" not in row["item_ids"]
        expected = history_before(PAST + TIES, row["user_id"], cutoff, 200)
        assert row["interaction_ids"] == expected.interaction_ids
        assert row["item_ids"] == expected.item_ids
    # The tie of the test target i40 sorts before it by id, but is in no test history.
    tests = [row for row in rows if row["split"] == "test"]
    assert [row["target_item_id"] for row in tests] == ["i40", "i40"]
    assert all(row["item_ids"] == ["i10", "i20", "tie30", "i30"] for row in tests)


def test_rows_have_the_order_of_the_spine_and_the_columns_of_the_contract(
    warehouse_with_leaks: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_set, "ROWS_PER_JOIN", 3)
    table, metadata = run(warehouse_with_leaks)
    spine = pq.read_table(warehouse_with_leaks.spine)
    assert table.schema == TRAINING_SET
    assert table.select(spine.column_names) == spine
    assert metadata == {
        "rows": 8,
        "interactions": sum(map(len, table["item_ids"].to_pylist())),
        "feature_service": "training",
        **dict.fromkeys(("train", "validation", "test", "all"), 2),
    }


def test_a_query_at_a_users_first_interaction_has_an_empty_history(tmp_path: Path) -> None:
    planted = [interaction("ann", f"i{at}", at) for at in range(0, 100, 10)]
    newcomer = [interaction("new", "i0", 99)]
    table, _ = run(build_warehouse(tmp_path, planted + newcomer, AS_OF, protocol="time"))
    (row,) = (row for row in table.to_pylist() if row["user_id"] == "new" and row["split"] == "test")
    assert (row["target_item_id"], row["item_ids"]) == ("i0", [])


def test_a_spine_of_other_features_is_rejected_with_a_missing_row(
    tmp_path: Path, warehouse_with_leaks: Warehouse
) -> None:
    spine = pq.read_table(warehouse_with_leaks.spine)
    stranger = pa.table(
        {name: ["zoe"] if name == "user_id" else spine[name][:1] for name in spine.column_names}
    )
    pq.write_table(pa.concat_tables([spine, stranger.cast(spine.schema)]), tmp_path / "spine.parquet")
    target = tmp_path / "training_set.parquet"
    with pytest.raises(StepError, match=r"1 pairs have none.*'zoe'.*run build_features again"):
        fetch(tmp_path / "spine.parquet", warehouse_with_leaks.addresses, target, compute())
    assert not target.exists()


def test_a_history_that_reaches_its_cutoff_is_rejected(tmp_path: Path) -> None:
    warehouse = build_warehouse(tmp_path, PAST, AS_OF)
    file = Path(warehouse.features, "user_history.parquet")
    history = pq.read_table(file)
    timestamps = history["timestamps"].to_pylist()
    timestamps[1][-1] = history["event_timestamp"].cast(pa.int64())[1].as_py()
    position = history.column_names.index("timestamps")
    leaking = history.set_column(position, "timestamps", pa.array(timestamps, pa.list_(pa.int64())))
    pq.write_table(leaking, file)
    with pytest.raises(StepError, match=r"the history of user ann at .* reaches its cutoff; 1 interactions"):
        run(warehouse)


def test_an_unreadable_spine_is_rejected_with_its_path(
    tmp_path: Path, warehouse_with_leaks: Warehouse
) -> None:
    file = tmp_path / "spine.parquet"
    target = tmp_path / "training_set.parquet"
    with pytest.raises(StepError, match=f"expected a Parquet file .* at {file}"):
        fetch(file, warehouse_with_leaks.addresses, target, compute())
    pq.write_table(pa.table({"user_id": ["ann"]}), file)
    with pytest.raises(StepError, match="with the columns user_id, cutoff, split, target_item_id"):
        fetch(file, warehouse_with_leaks.addresses, target, compute())


def test_each_row_has_the_attributes_of_its_user(tmp_path: Path) -> None:
    users = pa.table({"user_id": ["ann", "idle"], "hair": ["red", "blue"], "age": [34, 50]})
    table, _ = run(build_warehouse(tmp_path, PAST, AS_OF, users=users))
    assert {"ann", "bob"} <= set(table["user_id"].to_pylist())
    for row in table.to_pylist():
        expected = (["hair=red", "age"], [None, 34.0]) if row["user_id"] == "ann" else ([], [])
        values = [None if value != value else value for value in row["attribute_values"]]
        assert (row["attributes"], values) == expected
