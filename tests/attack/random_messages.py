"""Random requests of each method: valid messages, malformed bytes, and mixtures of both."""

from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from hypothesis import strategies as st

from serving.protos import recommender_pb2 as pb

_SERVICE: Final = "/penchant.v1.RecommenderService"

# Method -> its request.
METHODS: Final[dict[str, Any]] = {
    f"{_SERVICE}/Recommend": pb.RecommendRequest.DESCRIPTOR,
    f"{_SERVICE}/RecordInteractions": pb.RecordInteractionsRequest.DESCRIPTOR,
    f"{_SERVICE}/GetInterests": pb.GetInterestsRequest.DESCRIPTOR,
    f"{_SERVICE}/ForecastInterests": pb.ForecastInterestsRequest.DESCRIPTOR,
    "/grpc.health.v1.Health/Check": health_pb2.HealthCheckRequest.DESCRIPTOR,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": (
        reflection_pb2.ServerReflectionRequest.DESCRIPTOR
    ),
}

# Texts that mean something to the service, so that random requests reach its depths.
_KNOWN: Final = st.sampled_from(
    [
        *(
            "",
            "u",
            "nobody",
            "comedy-1",
            "horror-3",
            "Comedy",
            "films",
            "view",
            "rate",
            "dislike",
            "impression",
        ),
        *("content", "ads", "social", "email", "penchant.v1.RecommenderService", "a" * 256, "a" * 257),
        *("recommender.proto", "\x00", "\x1b[31m", "é" * 200, "🙂", "' OR 1=1 --", "%s%n", "{}", "../../etc"),
    ]
)
_TEXTS: Final = _KNOWN | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)

_INTEGERS: Final = {
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
}


def requests(descriptor: Descriptor) -> st.SearchStrategy[bytes]:
    """Return the bytes of random requests."""
    valid = _messages(descriptor).map(lambda message: message.SerializeToString())
    return valid | st.binary(max_size=200) | _cut(valid)


def _cut(valid: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Return valid bytes with a part replaced."""
    parts = st.tuples(valid, st.integers(0, 300), st.integers(0, 8), st.binary(max_size=8))
    return parts.map(lambda part: part[0][: part[1]] + part[3] + part[0][part[1] + part[2] :])


def _messages(descriptor: Descriptor, depth: int = 0) -> st.SearchStrategy[Any]:
    """Return random messages; fields of a `oneof` replace each other."""
    fields = {
        field.name: _field(field, depth)
        for field in descriptor.fields
        if field.message_type is None or depth < 3
    }
    message_class: Any = GetMessageClass(descriptor)
    return st.fixed_dictionaries({}, optional=fields).map(lambda values: message_class(**values))


def _field(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    if field.message_type and field.message_type.GetOptions().map_entry:
        key, value = field.message_type.fields
        return st.dictionaries(_value(key, depth), _value(value, depth), max_size=4)
    value_strategy = _value(field, depth)
    return st.lists(value_strategy, max_size=4) if field.is_repeated else value_strategy


def _value(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    if field.message_type:
        return _messages(field.message_type, depth + 1)
    match field.type:
        case FieldDescriptor.TYPE_STRING:
            return _TEXTS
        case FieldDescriptor.TYPE_BYTES:
            return st.binary(max_size=40)
        case FieldDescriptor.TYPE_BOOL:
            return st.booleans()
        case FieldDescriptor.TYPE_DOUBLE:
            return st.floats()
        case _:
            low, high = _INTEGERS[field.type]
            return st.integers(low, high) | st.integers(0, 50)
