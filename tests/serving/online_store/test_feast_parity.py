"""Keys, values and registries that the Feast SDK writes are read equally without it."""

import json
import subprocess
import sys

import pytest
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores import helpers
from feast.protos.feast.core.Registry_pb2 import Registry
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import (
    DoubleList,
    FloatList,
    Int64List,
    Null,
    StringList,
    Value,
)
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from feature_repo.contract import ENTITY_KEY_VERSION, FEAST_PROJECT
from serving.online_store.readers import entity_key, hash_field
from serving.online_store.stored_values import StoredList, decode
from serving.protos import feature_store_pb2

TRAINING_ONLY = {"feast", "pandas", "tensorflow", "mlflow", "great_expectations", "kfp", "duckdb", "ibis"}

SCRIPT = """
import json, sys
import serving.online_store.online_features, serving.server.__main__
modules = sorted({name.split(".")[0] for name in sys.modules})
import feast
from feast.protos.feast.types.Value_pb2 import Value
from serving.online_store.stored_values import decode
read = decode(Value(string_val="x").SerializeToString())
print(json.dumps([modules, read, feast.Entity(name="user").name]))
"""


def test_the_recommender_does_not_import_the_sdk_and_both_can_be_loaded() -> None:
    # Without assertions, as in the steps of the pipeline: the import of Feast takes a third of the time.
    done = subprocess.run([sys.executable, "-O", "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    modules, read, name = json.loads(done.stdout)
    assert "serving" in modules
    assert not TRAINING_ONLY & set(modules)
    assert (read, name) == ("x", "user")


@pytest.mark.parametrize("user", ["ann", "", "ünïcode", "7" * 500])
def test_entity_keys_equal_those_of_feast(user: str) -> None:
    key = EntityKey(join_keys=["user_id"], entity_values=[Value(string_val=user)])
    assert entity_key(user) == serialize_entity_key(key, ENTITY_KEY_VERSION)
    redis_key = helpers._redis_key(FEAST_PROJECT, key, ENTITY_KEY_VERSION)
    assert entity_key(user) + FEAST_PROJECT.encode() == redis_key


@pytest.mark.parametrize("feature", ["as_of", "items", "state", "ünïcode"])
def test_hash_fields_equal_those_of_feast(feature: str) -> None:
    assert hash_field("user_history", feature) == helpers._mmh3(f"user_history:{feature}")


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (Value(), None),
        (Value(null_val=Null.NULL), None),
        (Value(string_val=""), ""),
        (Value(int64_val=0), 0),
        (Value(double_val=2.5), 2.5),
        (Value(float_val=0.5), 0.5),
        (Value(string_list_val=StringList(val=[])), []),
        (Value(string_list_val=StringList(val=["a", ""])), ["a", ""]),
        (Value(int64_list_val=Int64List(val=[-1, 2**40])), [-1, 2**40]),
        (Value(float_list_val=FloatList(val=[0.5, -1.0])), [0.5, -1.0]),
        (Value(double_list_val=DoubleList(val=[0.1])), [0.1]),
    ],
    ids=lambda value: str(value).split(" ")[0].strip() or "unset",
)
def test_values_are_decoded_and_lists_are_lazy(stored: Value, expected: object) -> None:
    value = decode(stored.SerializeToString())
    assert value == expected
    assert isinstance(value, StoredList) == isinstance(expected, list)
    if isinstance(expected, list):
        assert (len(value), list(value), value[:1]) == (len(expected), expected, expected[:1])


@pytest.mark.parametrize(
    ("own", "of_feast"),
    [
        (feature_store_pb2.Value.DESCRIPTOR, Value.DESCRIPTOR),
        (feature_store_pb2.Registry.DESCRIPTOR, Registry.DESCRIPTOR),
    ],
    ids=["Value", "Registry"],
)
def test_messages_are_wire_compatible_with_those_of_feast(own: Descriptor, of_feast: Descriptor) -> None:
    pairs = [(own, of_feast)]
    for own, of_feast in pairs:
        for field in own.fields:
            theirs = of_feast.fields_by_number[field.number]
            assert wire_format(field) == wire_format(theirs), field.full_name
            if field.message_type and theirs.message_type:
                pairs.append((field.message_type, theirs.message_type))


def wire_format(field: FieldDescriptor) -> tuple[object, ...]:
    """Everything that decides how a field is written."""
    oneof = field.containing_oneof.name if field.containing_oneof else None
    return field.name, field.type, field.is_repeated, field.is_packed, oneof


def test_a_registry_written_by_feast_is_read_equally() -> None:
    registry = Registry()
    for view, features in {"user_history": ["as_of", "item_ids"], "user_profile": []}.items():
        spec = registry.feature_views.add().spec
        spec.name, spec.project, spec.online = view, FEAST_PROJECT, True
        for feature in features:
            spec.features.add(name=feature, description="not read")
    own = feature_store_pb2.Registry.FromString(registry.SerializeToString())
    specs = [
        (view.spec.name, view.spec.project, [f.name for f in view.spec.features])
        for view in own.feature_views
    ]
    assert specs == [
        ("user_history", FEAST_PROJECT, ["as_of", "item_ids"]),
        ("user_profile", FEAST_PROJECT, []),
    ]
