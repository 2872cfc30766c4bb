"""The engine of the tests of features: DuckDB, or what TEST_COMPUTE names (`make test-spark`)."""

import atexit
import os
from contextlib import ExitStack
from functools import cache
from typing import Final

import ibis.expr.types as ir
import pyarrow as pa

from components.compute.address import DUCKDB, Compute, check_address
from components.compute.engine import Engine, connect

# For tables of a few rows: compiling a query takes longer than running it.
QUICK_SPARK: Final = {
    "spark.driver.memory": "1g",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}

_COMPUTE: Final = Compute(check_address(os.environ.get("TEST_COMPUTE", DUCKDB)), QUICK_SPARK)


def compute() -> Compute:
    """Return where the features are computed. A Spark session stays open until the process ends."""
    engine()
    return _COMPUTE


def table(rows: pa.Table) -> ir.Table:
    """Return a table of the engine."""
    return engine().table(rows, "rows")


def examples(number: int) -> int:
    """Return the number of examples of a property-based test; on Spark each takes seconds."""
    return max(1, number // 12) if _COMPUTE.is_spark else number


@cache
def engine() -> Engine:
    opened = ExitStack()
    opened.callback(engine.cache_clear)
    atexit.register(opened.close)
    return opened.enter_context(connect(_COMPUTE, ""))
