"""The client library: `Recommender` and `AsyncRecommender`, which take and return dataclasses.

Both set a deadline for each call and retry while the service is unavailable. An interaction gets its id
before the first attempt, so a retry never records it twice.

This module imports nothing but gRPC, protobuf and the standard library, so that a client stays small.
"""

import json
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypedDict, TypeVar, Unpack

import grpc
import grpc.aio

from feature_repo.interaction import Interaction
from serving import errors
from serving.answers import InterestForecast, Recorded, UserInterests
from serving.api.messages import (
    interaction_message,
    read_answer,
    read_forecast,
    read_interests,
    read_recorded,
)
from serving.loopback import channel_options
from serving.ordered_id import ordered_id
from serving.protos import recommender_pb2 as pb
from serving.protos.recommender_pb2_grpc import RecommenderServiceStub
from serving.shown_answer import ShownAnswer

_RETRY: Final = {
    "maxAttempts": 4,
    "initialBackoff": "0.05s",
    "maxBackoff": "1s",
    "backoffMultiplier": 3,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
_METHODS: Final = [{"name": [{"service": "penchant.v1.RecommenderService"}], "retryPolicy": _RETRY}]
_OPTIONS: Final = (
    ("grpc.service_config", json.dumps({"methodConfig": _METHODS})),
    ("grpc.max_reconnect_backoff_ms", 1000),
)
# The details of a call that gRPC refused before the service; a call that the client cancelled has others.
_REFUSED_DETAILS: Final = ("CANCELLED",)

# How gRPC's own details begin if no server listens at the address; all other details come from the service.
_NOT_CONNECTED: Final = ("failed to connect", "DNS resolution failed", "Domain name not found")

Request = TypeVar("Request")
Response = TypeVar("Response")

_ERRORS: Final = {
    grpc.StatusCode[error.status]: error
    for error in (
        errors.InvalidRequest,
        errors.AlreadyExists,
        errors.Unauthenticated,
        errors.Forbidden,
        errors.TooManyRequests,
        errors.Unavailable,
    )
}


class RecommendOptions(TypedDict, total=False):
    """Optional arguments of `recommend`."""

    history: Sequence[Interaction | str]  # of this user, oldest first; an item id means a view of the item
    exclude_item_ids: Sequence[str]
    allow_item_ids: Sequence[str]  # when not empty, only these items are returned
    domain: str
    categories: Sequence[str]  # items of at least one of these
    include_seen: bool
    explain: bool
    request_id: str
    scenario: str  # a scenario of the server: "content", "ads", "social", "email", …
    exclude_categories: Sequence[str]  # items of none of these
    followed_user_ids: Sequence[str]  # users that the user follows
    bids: Mapping[str, float]  # item id -> bid, for a scenario that ranks by expected value
    personalized: bool  # False: the answer uses nothing about the user


class SearchOptions(TypedDict, total=False):
    """Optional arguments of `record_search`."""

    timestamp: int  # µs since the epoch; the current time when absent
    domain: str
    interaction_id: str  # the idempotency key; generated when absent


class RecordOptions(SearchOptions, total=False):
    """Optional arguments of `record`."""

    value: float | None  # rating, price or seconds of dwell time
    request_id: str  # of the answer that showed the item


class TlsFiles(TypedDict, total=False):
    """PEM files; without any of them the connection is plain text."""

    tls_roots: Path  # trusted root certificates
    tls_certificate: Path  # of the client, with its key
    tls_key: Path


class Recommender:
    """A connection to the recommender service; safe to share between threads.

    Every method raises a subclass of serving.errors.PenchantError. InvalidRequest and AlreadyExists contain
    the wrong field; after TooManyRequests and Unavailable, a later retry may succeed.
    """

    def __init__(
        self, address: str, timeout_s: float = 5.0, token: str = "", **tls: Unpack[TlsFiles]
    ) -> None:
        self._address, self._timeout_s, self._metadata = address, timeout_s, _authorization(token)
        self._channel = (
            grpc.secure_channel(address, _credentials(tls), _options(address))
            if tls
            else grpc.insecure_channel(address, _options(address))
        )
        self._stub = RecommenderServiceStub(self._channel)  # type: ignore[no-untyped-call]

    def recommend(self, user_id: str, k: int = 10, **options: Unpack[RecommendOptions]) -> ShownAnswer[str]:
        """Return items for a user, best first; trending items for an unknown user.

        The answer records what the user does with it: `answer.click(item)`.
        """
        answer = read_answer(self._call(self._stub.Recommend, _recommend_request(user_id, k, options)))

        def record(item_id: str, event_type: str, value: float | None) -> str:
            return self.record(user_id, item_id, event_type, value=value, request_id=answer.request_id)

        return ShownAnswer.of(answer, record)

    def record(
        self, user_id: str, item_id: str, event_type: str = "", **options: Unpack[RecordOptions]
    ) -> str:
        """Record one interaction and return its id; it is durable on return.

        Args:
            event_type: "" is a "rate" with a value, else a "view".
        """
        value, request_id = options.get("value"), options.get("request_id", "")
        request = _record_request(user_id, item_id, event_type, options, value, request_id=request_id)
        return read_recorded(self._call(self._stub.RecordInteractions, request)).interaction_ids[0]

    def record_search(self, user_id: str, query: str, **options: Unpack[SearchOptions]) -> str:
        """Record the words of a search, which are stored as they are, and return the interaction's id."""
        request = _record_request(user_id, "", "search", options, query=query)
        return read_recorded(self._call(self._stub.RecordInteractions, request)).interaction_ids[0]

    def record_all(self, interactions: Iterable[Interaction]) -> Recorded:
        """Record all interactions or none; they are durable on return."""
        return read_recorded(self._call(self._stub.RecordInteractions, _record_all_request(interactions)))

    def interests(self, user_id: str, k: int = 10) -> UserInterests:
        """Return the user's k strongest categories, with their current and long-term weights."""
        request = pb.GetInterestsRequest(user_id=user_id, k=k)
        return read_interests(self._call(self._stub.GetInterests, request))

    def forecast(self, user_id: str, steps: int = 5, k: int = 10) -> InterestForecast:
        """Return the user's interest at the next steps, each with k probable items and categories."""
        request = pb.ForecastInterestsRequest(user_id=user_id, steps=steps, k=k)
        return read_forecast(self._call(self._stub.ForecastInterests, request))

    def erase(self, user_id: str) -> None:
        """Erase a user from the log and from what was shown; nothing is recorded of the user from then on."""
        self._call(self._stub.EraseUser, pb.EraseUserRequest(user_id=user_id))

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, method: "grpc.UnaryUnaryMultiCallable[Request, Response]", request: Request) -> Response:
        try:
            return method(request, timeout=self._timeout_s, metadata=self._metadata)
        except grpc.RpcError as error:
            raise _error(self._address, error.code(), error.details()) from error


class AsyncRecommender:
    """The same methods as `Recommender`, for asyncio."""

    def __init__(
        self, address: str, timeout_s: float = 5.0, token: str = "", **tls: Unpack[TlsFiles]
    ) -> None:
        self._address, self._timeout_s, self._metadata = address, timeout_s, _authorization(token)
        self._channel = (
            grpc.aio.secure_channel(address, _credentials(tls), _options(address))
            if tls
            else grpc.aio.insecure_channel(address, _options(address))
        )
        self._stub = RecommenderServiceStub(self._channel)  # type: ignore[no-untyped-call]

    async def recommend(
        self, user_id: str, k: int = 10, **options: Unpack[RecommendOptions]
    ) -> ShownAnswer[Awaitable[str]]:
        request = _recommend_request(user_id, k, options)
        answer = read_answer(await self._call(self._stub.Recommend, request))

        def record(item_id: str, event_type: str, value: float | None) -> Awaitable[str]:
            return self.record(user_id, item_id, event_type, value=value, request_id=answer.request_id)

        return ShownAnswer.of(answer, record)

    async def record(
        self, user_id: str, item_id: str, event_type: str = "", **options: Unpack[RecordOptions]
    ) -> str:
        value, request_id = options.get("value"), options.get("request_id", "")
        request = _record_request(user_id, item_id, event_type, options, value, request_id=request_id)
        return read_recorded(await self._call(self._stub.RecordInteractions, request)).interaction_ids[0]

    async def record_search(self, user_id: str, query: str, **options: Unpack[SearchOptions]) -> str:
        request = _record_request(user_id, "", "search", options, query=query)
        return read_recorded(await self._call(self._stub.RecordInteractions, request)).interaction_ids[0]

    async def record_all(self, interactions: Iterable[Interaction]) -> Recorded:
        request = _record_all_request(interactions)
        return read_recorded(await self._call(self._stub.RecordInteractions, request))

    async def interests(self, user_id: str, k: int = 10) -> UserInterests:
        request = pb.GetInterestsRequest(user_id=user_id, k=k)
        return read_interests(await self._call(self._stub.GetInterests, request))

    async def forecast(self, user_id: str, steps: int = 5, k: int = 10) -> InterestForecast:
        request = pb.ForecastInterestsRequest(user_id=user_id, steps=steps, k=k)
        return read_forecast(await self._call(self._stub.ForecastInterests, request))

    async def erase(self, user_id: str) -> None:
        await self._call(self._stub.EraseUser, pb.EraseUserRequest(user_id=user_id))

    async def close(self) -> None:
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _call(
        self, method: "grpc.aio.UnaryUnaryMultiCallable[Request, Response]", request: Request
    ) -> Response:
        try:
            return await method(request, timeout=self._timeout_s, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise _error(self._address, error.code(), error.details()) from error


def _recommend_request(user_id: str, k: int, options: RecommendOptions) -> pb.RecommendRequest:
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


def _record_request(
    user_id: str,
    item_id: str,
    event_type: str,
    options: SearchOptions,
    value: float | None = None,
    query: str = "",
    request_id: str = "",
) -> pb.RecordInteractionsRequest:
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


def _record_all_request(interactions: Iterable[Interaction]) -> pb.RecordInteractionsRequest:
    messages = [interaction_message(interaction) for interaction in interactions]
    return pb.RecordInteractionsRequest(interactions=messages)


def _authorization(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),) if token else ()


def _options(address: str) -> tuple[tuple[str, str | int], ...]:
    return (*_OPTIONS, *channel_options(address))


def _credentials(tls: TlsFiles) -> grpc.ChannelCredentials:
    files = (tls.get("tls_roots"), tls.get("tls_key"), tls.get("tls_certificate"))
    roots, key, certificate = (file.read_bytes() if file else None for file in files)
    return grpc.ssl_channel_credentials(roots, key, certificate)


def _error(address: str, code: grpc.StatusCode, details: str | None) -> errors.PenchantError:
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return errors.Unavailable(
            f"recommender {address} did not answer in time: check its load, or raise timeout_s"
        )
    if details in _REFUSED_DETAILS:
        return errors.TooManyRequests(f"recommender {address} has too many pending calls: retry in a second")
    if code is grpc.StatusCode.UNAVAILABLE and (details or "").startswith(_NOT_CONNECTED):
        details = f"recommender {address}: {details}; start one with `penchant serve`"
    return _ERRORS.get(code, errors.PenchantError)(details)
