"""The boundary replaces every user id of every request message, and only those."""

from typing import Any, Final

import pytest
from google.protobuf.descriptor import Descriptor

from feature_repo.pseudonyms import Pseudonyms
from serving.api.user_ids import UserIds
from serving.api.validation import RequestLimits
from serving.errors import InvalidRequest
from serving.protos import recommender_pb2 as pb

PSEUDONYMS: Final = Pseudonyms(b"k" * 32)
ANN, BEN, CEM = (PSEUDONYMS.of(user_id) for user_id in ("ann", "ben", "cem"))
BOUNDARY: Final = UserIds(PSEUDONYMS, RequestLimits(max_record=2))
SERVICE: Final = pb.DESCRIPTOR.services_by_name["RecommenderService"]


def with_user_ids(descriptor: Descriptor) -> Any:
    """Return a message with the id "ann" in each field that holds user ids."""
    message = getattr(pb, descriptor.name)()
    for field in descriptor.fields:
        if "user_id" in field.name:
            if field.is_repeated:
                getattr(message, field.name).append("ann")
            else:
                setattr(message, field.name, "ann")
        elif field.message_type and field.message_type.name == "Interaction":
            getattr(message, field.name).append(with_user_ids(field.message_type))
    return message


@pytest.mark.parametrize("method", SERVICE.methods, ids=lambda method: str(method.name))
def test_no_field_of_any_request_passes_with_a_user_id(method: Any) -> None:
    request = with_user_ids(method.input_type)
    assert b"ann" in request.SerializeToString()
    replaced = BOUNDARY.replace(request).SerializeToString()
    assert b"ann" not in replaced
    assert ANN.encode() in replaced


def test_each_user_gets_a_pseudonym_and_everything_else_stays() -> None:
    request = pb.RecommendRequest(
        user_id="ann", k=3, followed_user_ids=["ben", "cem"], history=[pb.Interaction(item_id="ann")]
    )
    expected = pb.RecommendRequest(
        user_id=ANN, k=3, followed_user_ids=[BEN, CEM], history=[pb.Interaction(item_id="ann")]
    )
    assert BOUNDARY.replace(request) == expected


def test_an_anonymous_visitor_stays_anonymous() -> None:
    assert BOUNDARY.replace(pb.RecommendRequest(k=3)) == pb.RecommendRequest(k=3)


def test_without_a_key_ids_pass_as_they_are() -> None:
    request = pb.RecommendRequest(user_id="a\nb")
    assert UserIds(None, RequestLimits()).replace(request).user_id == "a\nb"


@pytest.mark.parametrize(
    ("request_message", "message"),
    [
        (pb.RecommendRequest(user_id="secret\n"), "user_id: expected 1 to 256 characters without control"),
        (pb.RecommendRequest(followed_user_ids=["secret\n"]), "followed_user_ids: expected 1 to 256"),
        (
            pb.RecordInteractionsRequest(interactions=[pb.Interaction(user_id="secret" * 50)]),
            r"interactions\[0\].user_id: expected 1 to 256 characters",
        ),
        (
            pb.RecordInteractionsRequest(interactions=[pb.Interaction(user_id="secret")] * 3),
            "1 to 2, got",
        ),
        (pb.RecommendRequest(followed_user_ids=["secret"] * 1001), "at most 1000 elements"),
    ],
)
def test_what_can_be_no_id_is_refused_without_showing_it(request_message: Any, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as error:
        BOUNDARY.replace(request_message)
    assert "secret" not in str(error.value)
