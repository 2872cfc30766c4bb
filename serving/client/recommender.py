"""The client for threads."""

from collections.abc import Iterable
from types import TracebackType
from typing import Self, TypeVar, Unpack

import grpc

from feature_repo.interaction import Interaction
from serving.answers import InterestForecast, Recorded, UserInterests
from serving.api.messages import read_answer, read_forecast, read_interests, read_recorded
from serving.client.connection import TlsFiles, authorization, channel_options, credentials, error_of
from serving.client.options import RecommendOptions, RecordOptions, SearchOptions
from serving.client.requests import recommend_request, record_all_request, record_request
from serving.client.shown_answer import ShownAnswer
from serving.protos import recommender_pb2 as pb
from serving.protos.recommender_pb2_grpc import RecommenderServiceStub

Request = TypeVar("Request")
Response = TypeVar("Response")


class Recommender:
    """A connection to the recommender service; safe to share between threads.

    Every method raises a subclass of serving.errors.PenchantError. InvalidRequest and AlreadyExists contain
    the wrong field; after TooManyRequests and Unavailable, a later retry may succeed.
    """

    def __init__(
        self, address: str, timeout_s: float = 5.0, token: str = "", **tls: Unpack[TlsFiles]
    ) -> None:
        self._address, self._timeout_s, self._metadata = address, timeout_s, authorization(token)
        self._channel = (
            grpc.secure_channel(address, credentials(tls), channel_options(address))
            if tls
            else grpc.insecure_channel(address, channel_options(address))
        )
        self._stub = RecommenderServiceStub(self._channel)  # type: ignore[no-untyped-call]

    def recommend(self, user_id: str, k: int = 10, **options: Unpack[RecommendOptions]) -> ShownAnswer[str]:
        """Return items for a user, best first; trending items for an unknown user.

        The answer records what the user does with it: `answer.click(item)`.
        """
        answer = read_answer(self._call(self._stub.Recommend, recommend_request(user_id, k, options)))

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
        request = record_request(user_id, item_id, event_type, options, value, request_id=request_id)
        return read_recorded(self._call(self._stub.RecordInteractions, request)).interaction_ids[0]

    def record_search(self, user_id: str, query: str, **options: Unpack[SearchOptions]) -> str:
        """Record the words of a search, which are stored as they are, and return the interaction's id."""
        request = record_request(user_id, "", "search", options, query=query)
        return read_recorded(self._call(self._stub.RecordInteractions, request)).interaction_ids[0]

    def record_all(self, interactions: Iterable[Interaction]) -> Recorded:
        """Record all interactions or none; they are durable on return."""
        return read_recorded(self._call(self._stub.RecordInteractions, record_all_request(interactions)))

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

    def set_personalized(self, user_id: str, personalized: bool) -> None:
        """Set whether this user's answers are personalized, until it is set again."""
        request = pb.SetPreferencesRequest(user_id=user_id, personalized=personalized)
        self._call(self._stub.SetPreferences, request)

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
            raise error_of(self._address, error.code(), error.details()) from error
