"""A whole run of the pipeline on Spark registers the same release as one on DuckDB, file by file."""

from pathlib import Path

import pytest

from components.compute.address import Compute
from tests.benchmarks.engines import release
from tests.compute import QUICK_SPARK
from tests.end_to_end.shop import write_shop

pytest.importorskip("pyspark", reason="needs PySpark: make test-spark")

SMALL_MODEL = {"epochs": 1, "embedding_size": 8, "units": 8}


def test_both_engines_end_in_the_same_release(tmp_path: Path) -> None:
    files = write_shop(tmp_path / "shop")
    sources = {f"{name}_file": str(file) for name, file in files.items()}
    on_duckdb = release(tmp_path / "duckdb", sources, Compute(), SMALL_MODEL)
    on_spark = release(tmp_path / "spark", sources, Compute("local[2]", QUICK_SPARK), SMALL_MODEL)
    assert "interest/saved_model.pb" in on_duckdb
    assert on_spark == on_duckdb
