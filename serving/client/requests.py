"""The messages of the client's calls."""

from collections.abc import Iterable

from feature_repo.interaction import Interaction
from serving.api.messages import interaction_message
from serving.client.options import RecommendOptions, SearchOptions
from serving.ordered_id import ordered_id
from serving.protos import recommender_pb2 as pb


def recommend_request(user_id: str, k: int, options: RecommendOptions) -> pb.RecommendRequest:
    return pb.RecommendRequest(
        user_id=user_id,
        k=k,
        history=[interaction_message(interaction) for interaction in options.get("history", ())],
        exclude_item_ids=options.get("exclude_item_ids", ()),
        allow_item_ids=options.get("allow_item_ids", ()),
        domain=options.get("domain", ""),
        categories=options.get("categories", ()),
        include_seen=options.get("include_seen", False),
        explain=options.get("explain", False),
        request_id=options.get("request_id", ""),
        scenario=options.get("scenario", ""),
        exclude_categories=options.get("exclude_categories", ()),
        followed_user_ids=options.get("followed_user_ids", ()),
        bids=options.get("bids", {}),
        personalized=options.get("personalized"),
    )


def record_request(
    user_id: str,
    item_id: str,
    event_type: str,
    options: SearchOptions,
    value: float | None = None,
    query: str = "",
    request_id: str = "",
) -> pb.RecordInteractionsRequest:
    """Return the request to record one interaction.

    Raises:
        ValueError: no user id is given, as by what is done with the answer for an anonymous visitor.
    """
    if not user_id:
        raise ValueError(
            "expected the id of a user to record for, got '': give an anonymous visitor an id"
            + (request_id and f", and record with {_call(item_id, event_type, value, request_id)}")
        )
    message = pb.Interaction(
        interaction_id=options.get("interaction_id") or ordered_id(),
        user_id=user_id,
        item_id=item_id,
        event_type=event_type,
        value=value,
        domain=options.get("domain", ""),
        query=query,
        request_id=request_id,
    )
    if "timestamp" in options:
        message.timestamp.FromMicroseconds(options["timestamp"])
    return pb.RecordInteractionsRequest(interactions=[message])


def _call(item_id: str, event_type: str, value: float | None, request_id: str) -> str:
    """Return the call that records what a visitor did with an answer."""
    valued = "" if value is None else f", value={value!r}"
    return f"recommender.record(VISITOR_ID, {item_id!r}, {event_type!r}{valued}, request_id={request_id!r})"


def record_all_request(interactions: Iterable[Interaction]) -> pb.RecordInteractionsRequest:
    messages = [interaction_message(interaction) for interaction in interactions]
    return pb.RecordInteractionsRequest(interactions=messages)
