"""NaN is a missing value, also in a Parquet file whose statistics leave it out, as the format requires."""

import math
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.ingest_interactions.duckdb_session import finite, finite_vector

NAN, INFINITE = math.nan, math.inf
DAY = 1_700_000_000


@pytest.mark.parametrize("kind", [pa.float32(), pa.float64()])
def test_numbers_of_a_parquet_file_with_statistics(tmp_path: Any, kind: pa.DataType) -> None:
    file = tmp_path / "numbers.parquet"
    pq.write_table(pa.table({"x": pa.array([1, NAN, 2, INFINITE, -INFINITE, None], kind)}), file)
    pq.write_table(pa.table({"x": pa.array([1, NAN, 2], kind)}), tmp_path / "finite.parquet")
    assert pq.read_metadata(tmp_path / "finite.parquet").row_group(0).column(0).statistics.max == 2

    with duckdb.connect() as connection:
        rows = connection.read_parquet(str(file)).select(finite("x")).fetchall()
        assert rows == [(1,), (None,), (2,), (None,), (None,), (None,)]
        relation = connection.read_parquet(str(tmp_path / "finite.parquet"))
        assert relation.select(finite("x::DOUBLE")).fetchall() == [(1,), (None,), (2,)]
        assert relation.filter(f"{finite('x')} IS NULL").aggregate("count(*)").fetchall() == [(1,)]


def test_vectors_with_a_number_that_is_not_finite_are_missing() -> None:
    vectors = pa.array([[1, 2], [1, NAN], [INFINITE, 2], [None, 1], None], pa.list_(pa.float32()))
    with duckdb.connect() as connection:
        rows = connection.from_arrow(pa.table({"v": vectors})).select(finite_vector("v")).fetchall()
    assert rows == [([1, 2],), (None,), (None,), (None,), (None,)]


def test_nan_is_missing_in_every_column_of_every_table(home: Any, capsys: pytest.CaptureFixture[str]) -> None:
    home.ingest(
        interactions_file=home.write_parquet(
            "log.parquet",
            {
                "user_id": [1.0, 2.0, 3.0],
                "item_id": ["tea", "milk", "cake"],
                "timestamp": [float(DAY), float(DAY), NAN],
                "value": [1.0, NAN, 5.0],
            },
        ),
        items_file=home.write_parquet(
            "items.parquet",
            {"item_id": ["tea", "milk"], "price": [NAN, 2.5], "image": [[1.0, NAN], [1.0, 2.0]]},
        ),
        users_file=home.write_parquet(
            "users.parquet", {"user_id": [1.0, 2.0, 3.0], "age": [NAN, 30.0, INFINITE]}
        ),
    )
    interactions = home.rows("interactions")
    assert [(row["user_id"], row["value"]) for row in interactions] == [("1", 1.0), ("2", None), ("3", 5.0)]
    assert interactions[2]["timestamp"] is None
    items = {row["item_id"]: row for row in home.rows("items")}
    assert (items["tea"]["price"], items["tea"]["image"]) == (None, None)
    assert items["milk"]["image"] == [1.0, 2.0]
    assert {row["user_id"]: row["age"] for row in home.rows("users")} == {"1": None, "2": 30.0, "3": None}
    told = capsys.readouterr().out
    assert "items.parquet: 1 cell of image: some numbers are NaN, infinite or missing" in told
    assert "users.parquet: 1 cell of age: infinite, read as missing, as in row 3" in told
