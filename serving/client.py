"""The client library: `Recommender` and `AsyncRecommender`, dataclasses in and out.

Both keep a deadline for each call and retry while the service is unavailable; an interaction has its id
before the first try, so a retry never counts it twice.
"""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypedDict, TypeVar, Unpack

import grpc
import grpc.aio

from feature_repo.interaction import Interaction
from serving import errors
from serving.answers import Answer, Recorded, UserInterests
from serving.api.messages import interaction_message, read_answer, read_interests, read_recorded
from serving.protos import recommender_pb2 as pb
from serving.protos.recommender_pb2_grpc import RecommenderServiceStub

_RETRY: Final = {
    "maxAttempts": 4,
    "initialBackoff": "0.05s",
    "maxBackoff": "1s",
    "backoffMultiplier": 3,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
_METHODS: Final = [{"name": [{"service": "penchant.v1.RecommenderService"}], "retryPolicy": _RETRY}]
_OPTIONS: Final = [
    ("grpc.service_config", json.dumps({"methodConfig": _METHODS})),
    ("grpc.max_reconnect_backoff_ms", 1000),
]
# What gRPC says of a call that the server's core refused; of one that this side ended it says more.
_REFUSED: Final = "CANCELLED"

Request = TypeVar("Request")
Response = TypeVar("Response")

_ERRORS: Final = {
    error.status: error
    for error in (
        errors.InvalidRequest,
        errors.Unauthenticated,
        errors.Forbidden,
        errors.TooMany,
        errors.Unavailable,
    )
}


class Options(TypedDict, total=False):
    """What `recommend` takes beside the user and k."""

    history: Sequence[Interaction | str]  # what the caller knows of the user, oldest first: items or more
    exclude_item_ids: Sequence[str]
    allow_item_ids: Sequence[str]  # when given, nothing else is answered
    domain: str
    categories: Sequence[str]  # any of them
    include_seen: bool
    explain: bool
    request_id: str
    scenario: str  # a policy of the server: "content", "ads", "social", "email", …
    exclude_categories: Sequence[str]  # none of them
    followed_user_ids: Sequence[str]  # whom the user follows
    bids: Mapping[str, float]  # item id -> bid, for a scenario that ranks by expected value


class Details(TypedDict, total=False):
    """What `record` takes beside user, item and event type."""

    value: float | None  # rating, price, dwell seconds
    timestamp: int  # µs since the epoch; now when absent
    domain: str
    interaction_id: str  # the idempotency key; made when absent


class Tls(TypedDict, total=False):
    """PEM files; without any of them, plain text is spoken."""

    tls_roots: Path  # to trust
    tls_certificate: Path  # the client's own, with its key
    tls_key: Path


class Recommender:
    """A connection to the recommender service, to share between threads.

    Every method raises a serving.errors.PenchantError: InvalidRequest names the field to mend, Unavailable
    is worth a later try.
    """

    def __init__(self, address: str, timeout_s: float = 5.0, token: str = "", **tls: Unpack[Tls]) -> None:
        self._address, self._timeout_s, self._metadata = address, timeout_s, _authorization(token)
        self._channel = (
            grpc.secure_channel(address, _credentials(tls), _OPTIONS)
            if tls
            else grpc.insecure_channel(address, _OPTIONS)
        )
        self._stub = RecommenderServiceStub(self._channel)  # type: ignore[no-untyped-call]

    def recommend(self, user_id: str, k: int = 10, **options: Unpack[Options]) -> Answer:
        """Items for a user, best first; an unknown user gets what is trending."""
        return read_answer(self._call(self._stub.Recommend, _recommend(user_id, k, options)))

    def record(self, user_id: str, item_id: str, event_type: str = "view", **details: Unpack[Details]) -> str:
        """Record one interaction, durable on return; returns its id."""
        recorded = self._call(self._stub.RecordInteractions, _record(user_id, item_id, event_type, details))
        return read_recorded(recorded).interaction_ids[0]

    def record_all(self, interactions: Iterable[Interaction]) -> Recorded:
        """Record many, all or none."""
        return read_recorded(self._call(self._stub.RecordInteractions, _record_all(interactions)))

    def interests(self, user_id: str, k: int = 10) -> UserInterests:
        """The user's k strongest categories now, beside the long term."""
        request = pb.GetInterestsRequest(user_id=user_id, k=k)
        return read_interests(self._call(self._stub.GetInterests, request))

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
    """The same for asyncio."""

    def __init__(self, address: str, timeout_s: float = 5.0, token: str = "", **tls: Unpack[Tls]) -> None:
        self._address, self._timeout_s, self._metadata = address, timeout_s, _authorization(token)
        self._channel = (
            grpc.aio.secure_channel(address, _credentials(tls), _OPTIONS)
            if tls
            else grpc.aio.insecure_channel(address, _OPTIONS)
        )
        self._stub = RecommenderServiceStub(self._channel)  # type: ignore[no-untyped-call]

    async def recommend(self, user_id: str, k: int = 10, **options: Unpack[Options]) -> Answer:
        return read_answer(await self._call(self._stub.Recommend, _recommend(user_id, k, options)))

    async def record(
        self, user_id: str, item_id: str, event_type: str = "view", **details: Unpack[Details]
    ) -> str:
        request = _record(user_id, item_id, event_type, details)
        return read_recorded(await self._call(self._stub.RecordInteractions, request)).interaction_ids[0]

    async def record_all(self, interactions: Iterable[Interaction]) -> Recorded:
        request = _record_all(interactions)
        return read_recorded(await self._call(self._stub.RecordInteractions, request))

    async def interests(self, user_id: str, k: int = 10) -> UserInterests:
        request = pb.GetInterestsRequest(user_id=user_id, k=k)
        return read_interests(await self._call(self._stub.GetInterests, request))

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


def _recommend(user_id: str, k: int, options: Options) -> pb.RecommendRequest:
    return pb.RecommendRequest(
        user_id=user_id,
        k=k,
        history=[interaction_message(given) for given in options.get("history", ())],
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
    )


def _record(user_id: str, item_id: str, event_type: str, details: Details) -> pb.RecordInteractionsRequest:
    message = pb.Interaction(
        interaction_id=details.get("interaction_id") or uuid.uuid4().hex,
        user_id=user_id,
        item_id=item_id,
        event_type=event_type,
        value=details.get("value"),
        domain=details.get("domain", ""),
    )
    if "timestamp" in details:
        message.timestamp.FromMicroseconds(details["timestamp"])
    return pb.RecordInteractionsRequest(interactions=[message])


def _record_all(interactions: Iterable[Interaction]) -> pb.RecordInteractionsRequest:
    return pb.RecordInteractionsRequest(interactions=[interaction_message(given) for given in interactions])


def _authorization(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),) if token else ()


def _credentials(tls: Tls) -> grpc.ChannelCredentials:
    files = (tls.get("tls_roots"), tls.get("tls_key"), tls.get("tls_certificate"))
    roots, key, certificate = (file.read_bytes() if file else None for file in files)
    return grpc.ssl_channel_credentials(roots, key, certificate)


def _error(address: str, code: grpc.StatusCode, details: str | None) -> errors.PenchantError:
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return errors.Unavailable(
            f"recommender {address} gave no answer in time: look at its load, or allow more"
        )
    if code is grpc.StatusCode.CANCELLED and details == _REFUSED:
        return errors.TooMany(f"recommender {address} takes on no more calls: ask again in a moment")
    if code is grpc.StatusCode.UNAVAILABLE and not (details or "").startswith("no release"):
        details = f"recommender {address}: {details}; start one with `penchant serve`"
    return _ERRORS.get(code, errors.PenchantError)(details)
