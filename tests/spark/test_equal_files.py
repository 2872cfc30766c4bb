"""DuckDB and Spark write the same bytes: histories, profiles, the spine and the training set."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest

from components.build_features.protocols import PROTOCOLS
from components.compute.address import Compute
from components.compute.engine import connect
from components.fetch_training_set.training_set import fetch
from feature_repo.interaction import Interaction
from tests.compute import QUICK_SPARK
from tests.feature_repo.planted import START, build_warehouse, search

pytest.importorskip("pyspark", reason="needs PySpark: make test-spark")

AS_OF = START + 10_000_000_000
LENGTHS = (1, 2, 10, 250, 700)  # of users' logs; MAX_HISTORY is 200
EVENTS = ("view", "like", "dislike", "purchase", "return", "impression")
VALUES = (float("nan"), 1.0, 2.5, 3.3, 0.1)
USERS = pa.table(
    {
        "user_id": [f"u{n}" for n in range(40)],
        "plan": [None if n % 3 else "x'\"é\\" for n in range(40)],
        "age": pa.array([None if n % 5 == 0 else 2**53 + 1 if n == 1 else n for n in range(40)], pa.int64()),
    }
)


@pytest.fixture(scope="module")
def spark() -> Iterator[Compute]:
    compute = Compute("local[2]", QUICK_SPARK)
    with connect(compute, ""):  # one session for all tests
        yield compute


def interactions() -> list[Interaction]:
    """Return logs with ties, missing values, repeats, searches, and times after the snapshot."""
    random, log = Random(3), list[Interaction]()
    for user in range(30):
        for _ in range(LENGTHS[user % len(LENGTHS)]):
            at = START + random.randrange(1_010) * 10_000_030 + random.randrange(3)
            pair = f"u{user}", f"i{random.randrange(300)}"
            id, event = f"{random.getrandbits(40):x}", random.choice(EVENTS)
            log.append(Interaction(id, *pair, event, at, random.choice(VALUES)))
        if user % 4 == 0:
            log += [search(f"u{user}", f"q {at % 7}", at * 13) for at in range(random.randrange(1, 30))]
    return log


def files(folder: Path, protocol: str, compute: Compute) -> dict[str, bytes]:
    """Build the features and fetch the training set; return each file's content."""
    warehouse = build_warehouse(folder, interactions(), AS_OF, protocol, USERS, compute)
    training_set = folder / "training_set.parquet"
    fetch(warehouse.spine, warehouse.addresses, training_set, compute)
    written = [warehouse.spine, training_set, *sorted(Path(warehouse.features).iterdir())]
    return {file.name: file.read_bytes() for file in written}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_all_files_are_equal_to_the_byte(protocol: str, spark: Compute, tmp_path: Path) -> None:
    on_duckdb = files(tmp_path / "duckdb", protocol, Compute())
    on_spark = files(tmp_path / "spark", protocol, spark)
    assert on_duckdb.keys() == on_spark.keys()
    assert len(on_duckdb) == 4
    assert [name for name in on_duckdb if on_duckdb[name] != on_spark[name]] == []
