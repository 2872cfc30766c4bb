"""The enums of the answers and those of the proto, and values that only a newer server knows."""

from enum import StrEnum
from typing import Any

import pytest

from serving.answers import (
    Answer,
    Basis,
    Degradation,
    DislikeEffect,
    Fallback,
    Recommendation,
    Removed,
    Rule,
    Source,
    Stage,
)
from serving.api.messages import answer_message, read_answer
from serving.protos import recommender_pb2 as pb


@pytest.mark.parametrize("kind", [Basis, Stage, Fallback, Source, Rule])
def test_an_enum_has_the_same_members_in_python_and_in_the_proto(kind: type[StrEnum]) -> None:
    wire = pb.DESCRIPTOR.enum_types_by_name[kind.__name__]
    assert [f"{kind.__name__.upper()}_{member.name}" for member in kind] == list(wire.values_by_name)
    assert [member.value for member in kind] == [member.name.lower() for member in kind]


def test_an_answer_reads_back_equal_with_every_member_of_every_enum() -> None:
    sources = list(Source)[1:]
    items = [
        Recommendation("a", "A", ["Comedy"], 1.5, sources, "trending"),
        Recommendation("b", "", [], 1.0, [], "", {"ease": 0.5}, ["a"], Rule.DIVERSITY, 0.25),
    ]
    degraded = [Degradation(stage, "late", fallback) for stage in Stage for fallback in Fallback]
    removed = [Removed("c", "C", 2.0, rule) for rule in Rule]
    effects = [DislikeEffect("less Horror: you disliked D", "Horror", ["d"])]
    for basis in Basis:
        answer = Answer(items, 3, "request", basis, degraded, removed, effects)
        assert (
            read_answer(pb.RecommendResponse.FromString(answer_message(answer).SerializeToString())) == answer
        )


def test_a_value_of_a_newer_server_reads_as_unspecified() -> None:
    message: Any = pb.RecommendResponse()
    message.basis = 99
    message.degraded.add(stage=99, fallback=99)
    message.removed.add(item_id="a", rule=99)
    message.recommendations.add(item_id="b", sources=[1, 99], reordered_by=99)
    answer = read_answer(pb.RecommendResponse.FromString(message.SerializeToString()))
    assert answer.basis is Basis.UNSPECIFIED
    assert (answer.degraded[0].stage, answer.degraded[0].fallback) == ("unspecified", "unspecified")
    assert answer.removed[0].rule is Rule.UNSPECIFIED
    assert answer.recommendations[0].sources == [Source.INTEREST, Source.UNSPECIFIED]
    assert answer.recommendations[0].reordered_by is Rule.UNSPECIFIED
