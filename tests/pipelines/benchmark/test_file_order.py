"""The benchmark's order of interactions with equal times."""

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.ingest_interactions.datasets.registry import REGISTRY
from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
from components.ingest_interactions.ingestion import Outputs, Sources, ingest
from pipelines.benchmark.file_order import order_equal_times
from pipelines.benchmark.k_core import write_k_core

# SHA-256 of the lines "user item": the last item of each MovieLens-1M user, by user number.
TEST_ITEMS = "7c4903939ea01f0383b26893364c0f533724648d062c37338ee5d081c44df875"


def test_equal_times_get_the_order_of_the_file(tmp_path: Path) -> None:
    rows = ["u,c,9", "u,a,9", "v,b,9", "u,d,9", "u,b,8", "u,e,20"]
    file, warehouse = tmp_path / "interactions.csv", str(tmp_path / "warehouse")
    file.write_text("\n".join(["user_id,item_id,timestamp", *(f"{row}00000000" for row in rows)]))
    interactions = tmp_path / "interactions.parquet"
    outputs = Outputs(interactions, tmp_path / "items", tmp_path / "users", tmp_path / "policy")
    ingest(Sources("", str(file)), FeedbackOptions(), warehouse, outputs)
    schema = pq.read_schema(interactions)

    order_equal_times(warehouse, interactions)

    table = pq.read_table(interactions)
    assert table.schema.equals(schema)
    assert table["user_id"].to_pylist() == ["u"] * 5 + ["v"]
    assert table["item_id"].to_pylist() == ["b", "c", "a", "d", "e", "b"]
    tie = 900_000_000_000_000
    times = [800_000_000_000_000, tie, tie + 1, tie + 2, 2_000_000_000_000_000, tie]
    assert table["timestamp"].cast(pa.int64()).to_pylist() == times


def test_random_orders_change_ties_only_and_repeat(tmp_path: Path) -> None:
    items = [f"i{number}" for number in range(8)]
    file, warehouse = tmp_path / "interactions.csv", str(tmp_path / "warehouse")
    rows = [*(f"u,{item},900000000" for item in items), "u,first,800000000"]
    file.write_text("\n".join(["user_id,item_id,timestamp", *rows]))
    interactions = tmp_path / "interactions.parquet"
    outputs = Outputs(interactions, tmp_path / "items", tmp_path / "users", tmp_path / "policy")
    ingest(Sources("", str(file)), FeedbackOptions(), warehouse, outputs)

    def ordered(number: int) -> list[str]:
        order_equal_times(warehouse, interactions, number)
        table = pq.read_table(interactions)
        assert table["timestamp"].cast(pa.int64()).to_pylist()[1] == 900_000_000_000_000
        # Back to equal times, for the next order.
        unordered = table.set_column(
            table.schema.get_field_index("timestamp"),
            "timestamp",
            pa.array([800_000_000_000_000] + [900_000_000_000_000] * len(items)).cast(
                table.schema.field("timestamp").type
            ),
        )
        pq.write_table(unordered, interactions)
        return list(table["item_id"].to_pylist())

    orders = [ordered(number) for number in (1, 2, 1)]

    assert orders[0] == orders[2] != orders[1]
    assert all(order[0] == "first" and sorted(order[1:]) == items for order in orders)


@pytest.mark.skipif(
    not REGISTRY["movielens-1m"].installed,
    reason=f"the wheel {REGISTRY['movielens-1m'].requirement} is not installed",
)
def test_the_test_items_of_movielens_1m_do_not_change(tmp_path: Path) -> None:
    tables = [tmp_path / name for name in ("interactions.parquet", "items.parquet", "users.parquet")]
    warehouse = str(tmp_path / "warehouse")
    ingest(
        Sources("movielens-1m", ""),
        FeedbackOptions(all_positive=True),
        warehouse,
        Outputs(tables[0], tables[1], tables[2], tmp_path / "policy"),
    )
    order_equal_times(warehouse, tables[0])
    (tmp_path / "ingested").mkdir()
    for table in tables:
        table.rename(tmp_path / "ingested" / table.name)
    write_k_core(tmp_path / "ingested", tmp_path / "core", 5)

    core = pq.read_table(tmp_path / "core/interactions.parquet", columns=["user_id", "item_id", "timestamp"])
    core = core.sort_by([("user_id", "ascending"), ("timestamp", "ascending")])
    last = dict(zip(core["user_id"].to_pylist(), core["item_id"].to_pylist(), strict=True))

    assert len(last) == 6_040
    lines = "\n".join(f"{user} {last[user]}" for user in sorted(last, key=int))
    assert hashlib.sha256(lines.encode()).hexdigest() == TEST_ITEMS
