"""What is read without Feast's SDK is what the SDK wrote, and the SDK may still be loaded afterwards."""

import subprocess
import sys

import pytest
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores import helpers
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value

from feature_repo.contract import ENTITY_KEY_VERSION, FEAST_PROJECT
from serving.online_store import readers

SCRIPT = """
import sys
import serving.online_store.online, serving.server
heavy = {"feast", "pandas", "tensorflow", "mlflow", "great_expectations", "kfp", "duckdb", "ibis"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
from serving.online_store.feast_formats import Value
from feature_repo.feast_sdk import feast
from feast.protos.feast.types.Value_pb2 import Value as Written
assert Value.FromString(Written(string_val="x").SerializeToString()).string_val == "x"
assert feast.FeatureStore and feast.Entity(name="user").name == "user"
"""


def test_a_recommender_loads_no_sdk_and_another_may() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("user", ["ann", "", "ünïcode", "7" * 500])
def test_keys_are_those_that_feast_writes(user: str) -> None:
    key = EntityKey(join_keys=["user_id"], entity_values=[Value(string_val=user)])
    assert readers._key(user) == serialize_entity_key(key, ENTITY_KEY_VERSION)
    in_redis = helpers._redis_key(FEAST_PROJECT, key, ENTITY_KEY_VERSION)
    assert readers._key(user) + FEAST_PROJECT.encode() == in_redis


@pytest.mark.parametrize("feature", ["as_of", "items", "state", "ünïcode"])
def test_fields_are_those_that_feast_writes(feature: str) -> None:
    assert readers._field("user_history", feature) == helpers._mmh3(f"user_history:{feature}")


@pytest.mark.parametrize(
    ("stored", "held"),
    [
        (Value(), None),
        (Value(null_val=0), None),
        (Value(string_val=""), ""),
        (Value(int64_val=0), 0),
        (Value(double_val=2.5), 2.5),
        (Value(unix_timestamp_val=7), 7),
        (Value(string_list_val={"val": []}), []),
        (Value(string_list_val={"val": ["a", ""]}), ["a", ""]),
        (Value(int64_list_val={"val": [-1, 2**40]}), [-1, 2**40]),
        (Value(float_list_val={"val": [0.5, -1.0]}), [0.5, -1.0]),
        (Value(unix_timestamp_list_val={"val": [3]}), [3]),
    ],
    ids=lambda value: str(value).split(" ")[0].strip() or "nothing",
)
def test_values_are_those_that_feast_writes_and_lists_are_read_when_looked_at(
    stored: Value, held: object
) -> None:
    value = readers.value_of(stored.SerializeToString())
    assert value == held
    assert isinstance(value, readers.StoredList) == isinstance(held, list)
    if isinstance(held, list):
        assert (len(value), list(value), value[:1]) == (len(held), held, held[:1])
