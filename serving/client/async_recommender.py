"""The client for asyncio."""

from collections.abc import Awaitable, Iterable
from types import TracebackType
from typing import Self, TypeVar, Unpack

import grpc.aio

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


class AsyncRecommender:
    """The same methods as `Recommender`, for asyncio."""

    def __init__(
        self, address: str, timeout_s: float = 5.0, token: str = "", **tls: Unpack[TlsFiles]
    ) -> None:
        self._address, self._timeout_s, self._metadata = address, timeout_s, authorization(token)
        self._channel = (
            grpc.aio.secure_channel(address, credentials(tls), channel_options(address))
            if tls
            else grpc.aio.insecure_channel(address, channel_options(address))
        )
        self._stub = RecommenderServiceStub(self._channel)  # type: ignore[no-untyped-call]

    async def recommend(
        self, user_id: str, k: int = 10, **options: Unpack[RecommendOptions]
    ) -> ShownAnswer[Awaitable[str]]:
        request = recommend_request(user_id, k, options)
        answer = read_answer(await self._call(self._stub.Recommend, request))

        def record(item_id: str, event_type: str, value: float | None) -> Awaitable[str]:
            return self.record(user_id, item_id, event_type, value=value, request_id=answer.request_id)

        return ShownAnswer.of(answer, record)

    async def record(
        self, user_id: str, item_id: str, event_type: str = "", **options: Unpack[RecordOptions]
    ) -> str:
        value, request_id = options.get("value"), options.get("request_id", "")
        request = record_request(user_id, item_id, event_type, options, value, request_id=request_id)
        return read_recorded(await self._call(self._stub.RecordInteractions, request)).interaction_ids[0]

    async def record_search(self, user_id: str, query: str, **options: Unpack[SearchOptions]) -> str:
        request = record_request(user_id, "", "search", options, query=query)
        return read_recorded(await self._call(self._stub.RecordInteractions, request)).interaction_ids[0]

    async def record_all(self, interactions: Iterable[Interaction]) -> Recorded:
        request = record_all_request(interactions)
        return read_recorded(await self._call(self._stub.RecordInteractions, request))

    async def interests(self, user_id: str, k: int = 10) -> UserInterests:
        request = pb.GetInterestsRequest(user_id=user_id, k=k)
        return read_interests(await self._call(self._stub.GetInterests, request))

    async def forecast(self, user_id: str, steps: int = 5, k: int = 10) -> InterestForecast:
        request = pb.ForecastInterestsRequest(user_id=user_id, steps=steps, k=k)
        return read_forecast(await self._call(self._stub.ForecastInterests, request))

    async def erase(self, user_id: str) -> None:
        await self._call(self._stub.EraseUser, pb.EraseUserRequest(user_id=user_id))

    async def set_personalized(self, user_id: str, personalized: bool) -> None:
        request = pb.SetPreferencesRequest(user_id=user_id, personalized=personalized)
        await self._call(self._stub.SetPreferences, request)

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
            raise error_of(self._address, error.code(), error.details()) from error
