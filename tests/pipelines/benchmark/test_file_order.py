"""The benchmark's order of interactions with equal times."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
from components.ingest_interactions.ingestion import Outputs, Sources, ingest
from pipelines.benchmark.file_order import order_as_in_source


def test_equal_times_get_the_order_of_the_file(tmp_path: Path) -> None:
    rows = ["u,c,9", "u,a,9", "v,b,9", "u,d,9", "u,b,8", "u,e,20"]
    file, warehouse = tmp_path / "interactions.csv", str(tmp_path / "warehouse")
    file.write_text("\n".join(["user_id,item_id,timestamp", *(f"{row}00000000" for row in rows)]))
    interactions = tmp_path / "interactions.parquet"
    outputs = Outputs(interactions, tmp_path / "items", tmp_path / "users", tmp_path / "policy")
    ingest(Sources("", str(file)), FeedbackOptions(), warehouse, outputs)
    schema = pq.read_schema(interactions)

    order_as_in_source(warehouse, interactions)

    table = pq.read_table(interactions)
    assert table.schema.equals(schema)
    assert table["user_id"].to_pylist() == ["u"] * 5 + ["v"]
    assert table["item_id"].to_pylist() == ["b", "c", "a", "d", "e", "b"]
    tie = 900_000_000_000_000
    times = [800_000_000_000_000, tie, tie + 1, tie + 2, 2_000_000_000_000_000, tie]
    assert table["timestamp"].cast(pa.int64()).to_pylist() == times
