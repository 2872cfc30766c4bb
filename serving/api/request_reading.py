"""Reads a RecommendRequest: validates every field, and keeps the message for the record of its exposure."""

from collections.abc import Mapping
from typing import Final

from serving.api.authorization import check_scope
from serving.api.validation import (
    RequestLimits,
    check_counts,
    read_bids,
    read_followed,
    read_history,
    read_id,
    read_ids,
    read_k,
    read_scenario,
)
from serving.exposures.exposure import MAX_REQUEST_BYTES
from serving.protos import recommender_pb2 as pb
from serving.ranking.request import Request
from serving.ranking.scenarios import Scenario
from serving.telemetry import logs

_ABOUT_USER: Final = ("user_id", "history", "followed_user_ids")


def read_request(
    request: pb.RecommendRequest, scenarios: Mapping[str, Scenario], limits: RequestLimits, now: int
) -> Request:
    """Return the request; `now` (µs since the epoch) is the time of interactions without one.

    A request that is not to be personalized is read without all that it says about the user, so that nothing
    behind can use it. The message changes accordingly.

    Raises:
        InvalidRequest: a field is wrong.
        Forbidden: the scenario records impressions, and the token may not record.
    """
    check_counts(request, limits)
    if request.HasField("personalized") and not request.personalized:
        for name in _ABOUT_USER:
            request.ClearField(name)
    scenario = read_scenario(request.scenario, scenarios)
    if scenario.record_impressions:
        check_scope("record", f"scenario {scenario.name!r}, which records impressions,")
    return Request(
        user_id=read_id("user_id", request.user_id, empty=True),
        k=read_k(request.k, limits, request.explain),
        history=read_history(request, now),
        exclude=read_ids("exclude_item_ids", request.exclude_item_ids),
        allow=read_ids("allow_item_ids", request.allow_item_ids),
        domain=read_id("domain", request.domain, empty=True),
        categories=read_ids("categories", request.categories),
        include_seen=request.include_seen,
        explain=request.explain,
        scenario=scenario,
        exclude_categories=read_ids("exclude_categories", request.exclude_categories),
        followed=read_followed(request.followed_user_ids),
        bids=read_bids(request.bids, scenario),
        request_id=read_id("request_id", request.request_id, empty=True) or logs.request_id.get(),
        message=request.SerializeToString() if request.ByteSize() <= MAX_REQUEST_BYTES else b"",
    )
