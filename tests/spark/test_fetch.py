"""What a table loses on the way through pandas stays in it."""

import math
from collections.abc import Iterator

import pyarrow as pa
import pytest

from components.compute.address import Compute
from components.compute.engine import Engine, connect, fetch
from tests.compute import QUICK_SPARK

pytest.importorskip("pyspark", reason="needs PySpark: make test-spark")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with connect(Compute("local[2]", QUICK_SPARK), "") as engine:
        yield engine


def test_nan_null_large_integers_and_times_arrive_as_they_are(engine: Engine) -> None:
    rows = pa.table(
        {
            "number": pa.array([math.nan, None, 1.5], pa.float32()),
            "count": pa.array([2**53 + 1, None, -1]),
            "time": pa.array([1_700_000_000_000_001, None, -1]).cast(pa.timestamp("us", "UTC")),
            "list": pa.array([[2**53 + 1], None, []], pa.list_(pa.int64())),
        }
    )
    table = engine.table(rows, "rows")
    fetched = fetch(table.order_by(table["count"].desc(nulls_first=False)))
    assert fetched.schema == rows.schema
    assert str(fetched.to_pylist()) == str(rows.take([0, 2, 1]).to_pylist())


def test_rows_arrive_in_order(engine: Engine) -> None:
    table = engine.table(pa.table({"number": [(n * 7919) % 50_021 for n in range(50_021)]}), "numbers")
    assert fetch(table.order_by("number"))["number"].to_pylist() == list(range(50_021))
