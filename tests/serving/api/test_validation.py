"""Validation of requests: limits, generated values, and the field that an error names."""

import math
import time

import pytest

from feature_repo.event_types import IMPRESSION
from serving.api.validation import (
    RequestLimits,
    check_counts,
    read_history,
    read_id,
    read_ids,
    read_interactions,
    read_k,
)
from serving.errors import InvalidRequest
from serving.protos import recommender_pb2 as pb

LIMITS = RequestLimits(max_k=100, max_history=3, max_record=2)

NOW = 1_700_000_000_000_000


def recording(*interactions: pb.Interaction) -> pb.RecordInteractionsRequest:
    return pb.RecordInteractionsRequest(interactions=interactions)


def view(**fields: object) -> pb.Interaction:
    return pb.Interaction(**{"user_id": "u", "item_id": "i", **fields})  # type: ignore[arg-type]


def at(seconds: int, nanos: int = 0) -> dict[str, int]:
    return {"seconds": seconds, "nanos": nanos}


def test_k_defaults_to_ten_and_has_a_maximum() -> None:
    assert [read_k(k, LIMITS) for k in (0, 1, 100)] == [10, 1, 100]
    with pytest.raises(InvalidRequest, match=r"k: expected 0 \(for 10\) to 100, got 101"):
        read_k(101, LIMITS)


def test_an_id_accepts_any_printable_text() -> None:
    for value in ("1", "émile 🎬", "a/b?c=d", "👨‍👩‍👧", " "):
        assert read_id("user_id", value) == value


@pytest.mark.parametrize("value", ["", "x" * 257, "a\x00b", "a\nb"])
def test_an_invalid_id_is_refused_with_the_name_of_its_field(value: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^item_id: expected .*got '"):
        read_id("item_id", value)


def test_an_error_truncates_a_long_value() -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_id("user_id", "x" * 100_000)
    assert len(str(caught.value)) < 200


def test_more_than_the_allowed_number_of_distinct_ids_are_refused() -> None:
    assert read_ids("exclude_item_ids", ["a"] * 20_000) == {"a"}


@pytest.mark.parametrize(
    "too_long",
    [
        pb.RecommendRequest(exclude_item_ids=[""] * 10_001),
        pb.RecommendRequest(allow_item_ids=[""] * 10_001),
        pb.RecommendRequest(categories=[""] * 10_001),
        pb.RecommendRequest(exclude_categories=[""] * 10_001),
        pb.RecommendRequest(followed_user_ids=[""] * 1_001),
        pb.RecommendRequest(bids={str(number): -1.0 for number in range(10_001)}),
        pb.RecommendRequest(history=[pb.Interaction()] * 4),
    ],
    ids=lambda request: request.ListFields()[0][0].name,
)
def test_lists_are_counted_before_their_elements_are_read(too_long: pb.RecommendRequest) -> None:
    ((field, elements),) = too_long.ListFields()
    maximum = {"history": 3, "followed_user_ids": 1000}.get(field.name, 10_000)
    with pytest.raises(InvalidRequest) as raised:
        check_counts(too_long, LIMITS)
    expected = f"{field.name}: expected at most {maximum} elements, got '{len(elements)} elements'"
    assert str(raised.value) == expected


def test_every_list_of_a_request_has_a_limit() -> None:
    lists = {field.name for field in pb.RecommendRequest.DESCRIPTOR.fields if field.is_repeated}
    assert lists == LIMITS.max_elements.keys()


def test_an_answer_with_explain_has_a_limit_of_its_own() -> None:
    limits = RequestLimits(max_k=100, max_explained_k=5)
    assert read_k(5, limits, explain=True) == 5
    assert read_k(6, limits) == 6
    with pytest.raises(InvalidRequest, match=r"k: expected 0 .* to 5 with explain.*, got 6"):
        read_k(6, limits, explain=True)


@pytest.mark.parametrize(
    ("fault", "field"),
    [
        ({"item_id": ""}, "item_id"),
        ({"user_id": ""}, "user_id"),
        ({"user_id": "x" * 257}, "user_id"),
        ({"event_type": "a\x07"}, "event_type"),
        ({"interaction_id": "x" * 257}, "interaction_id"),
        ({"domain": "\x00"}, "domain"),
        ({"value": math.nan}, "value"),
        ({"value": -math.inf}, "value"),
        ({"value": 1e300}, "value"),
        ({"timestamp": at(-1)}, "timestamp"),
        ({"timestamp": at(int(time.time()) + 2 * 3_600)}, "timestamp"),
        ({"timestamp": at(0)}, "timestamp"),
        ({"timestamp": at(0, -5)}, "timestamp"),
        ({"timestamp": at(0, 1_000_000_000)}, "timestamp"),
        ({"timestamp": at(2**63 - 1)}, "timestamp"),
    ],
)
def test_an_error_names_the_wrong_field_and_its_position(fault: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidRequest, match=rf"^interactions\[1\]\.{field}: expected .*got "):
        read_interactions(recording(view(), view(**fault)), LIMITS)


def test_a_recording_generates_missing_ids_event_types_and_timestamps_in_request_order() -> None:
    before = time.time_ns() // 1000
    first, second = read_interactions(recording(view(), view(value=2.5)), LIMITS)
    assert first.interaction_id != second.interaction_id
    assert before <= first.timestamp < second.timestamp
    assert (first.event_type, math.isnan(first.value)) == ("view", True)
    assert (second.event_type, second.value) == ("rate", 2.5)


def test_values_from_the_client_are_returned_unchanged_to_the_microsecond() -> None:
    message = view(
        interaction_id="mine", event_type="rate", timestamp=at(1_700_000_000, 123_456_789), domain="d"
    )
    (read,) = read_interactions(recording(message), LIMITS)
    assert (read.interaction_id, read.event_type, read.domain) == ("mine", "rate", "d")
    assert read.timestamp == 1_700_000_000_123_456


@pytest.mark.parametrize(
    ("written", "read"),
    [("Add-To-Cart", "cart"), ("Impressions", IMPRESSION), ("unbox", "unbox"), ("  ", "view")],
)
def test_event_types_are_read_as_in_training(written: str, read: str) -> None:
    (interaction,) = read_interactions(recording(view(event_type=written)), LIMITS)
    (in_history,) = read_history(pb.RecommendRequest(user_id="u", history=[view(event_type=written)]), NOW)
    assert (interaction.event_type, in_history.event_type) == (read, read)


@pytest.mark.parametrize("count", [0, 3])
def test_a_recording_without_or_with_too_many_interactions_is_refused(count: int) -> None:
    with pytest.raises(InvalidRequest, match=f"interactions: expected 1 to 2, got '{count} interactions'"):
        read_interactions(recording(*[view()] * count), LIMITS)


def test_a_history_in_a_request_must_belong_to_its_user_and_has_a_maximum_length() -> None:
    request = pb.RecommendRequest(user_id="u", history=[view(), view(user_id="", timestamp=at(5))])
    first, second = read_history(request, NOW)
    assert (first.user_id, second.user_id, second.timestamp) == ("u", "u", 5_000_000)
    assert second.interaction_id == read_history(request, NOW)[1].interaction_id
    with pytest.raises(InvalidRequest, match=r"history\[0\]\.user_id: expected empty or 'u'.*got 'other'"):
        read_history(pb.RecommendRequest(user_id="u", history=[view(user_id="other")]), NOW)
