"""The gRPC service: converts requests, calls the recommender or the recorder, converts the result."""

from collections.abc import Mapping
from typing import Any, Final

import grpc.aio

from serving.api.erased_requests import leave_out_erased
from serving.api.messages import answer_message, forecast_message, interests_message, recorded_message
from serving.api.request_reading import read_request
from serving.api.validation import (
    RequestLimits,
    ids_without_time,
    read_id,
    read_interactions,
    read_k,
    read_steps,
)
from serving.deadline import Deadline
from serving.erasure import Erasure
from serving.errors import InvalidRequest
from serving.prefetch import Prefetcher
from serving.protos import recommender_pb2 as pb
from serving.protos.recommender_pb2_grpc import RecommenderServiceServicer
from serving.ranking.scenarios import Scenario
from serving.recommender import RecommendationEngine
from serving.recorder import Recorder
from serving.telemetry.metrics import Metrics
from serving.user_data.request_context import clock_us
from serving.user_data.user_preferences import UserPreferences

# A recording may wait longer for a lock than an answer, because it has no fallback.
_RECORD_DEADLINE_S: Final = 5.0


class RecommenderService(RecommenderServiceServicer):
    """penchant.v1.RecommenderService; the call interceptor converts its exceptions to gRPC statuses."""

    def __init__(
        self,
        recommender: RecommendationEngine,
        recorder: Recorder,
        limits: RequestLimits,
        deadline_s: float,
        scenarios: Mapping[str, Scenario],
        metrics: Metrics,
        prefetcher: Prefetcher,
        erasure: Erasure,
        preferences: UserPreferences,
    ) -> None:
        """`deadline_s`: the longest time for an answer; it also holds for clients that set no deadline."""
        self._recommender, self._recorder, self._scenarios = recommender, recorder, scenarios
        self._prefetcher, self._erasure, self._preferences = prefetcher, erasure, preferences
        self._limits, self._deadline_s, self._metrics = limits, deadline_s, metrics

    async def Recommend(  # noqa: N802 (the name in the proto)
        self, request: pb.RecommendRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> pb.RecommendResponse:
        with self._metrics.stage("request"):
            leave_out_erased(request, self._erasure.erased)
            is_plain = request.HasField("personalized") and not request.personalized
            users = [] if is_plain else [request.user_id, *request.followed_user_ids]
            degraded = self._preferences.degraded(users)
            self._leave_out_not_personalized(request)
            validated = read_request(request, self._scenarios, self._limits, clock_us())
            deadline = _deadline(context, self._deadline_s)
        answer = await self._recommender.recommend(validated, deadline, degraded)
        with self._metrics.stage("answer"):
            return answer_message(answer)

    async def RecordInteractions(  # noqa: N802
        self, request: pb.RecordInteractionsRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> pb.RecordInteractionsResponse:
        leave_out_erased(request, self._erasure.erased)
        interactions = read_interactions(request, self._limits)
        deadline = _deadline(context, _RECORD_DEADLINE_S)
        recorded = await self._recorder.record(interactions, ids_without_time(request), deadline)
        self._prefetcher.enqueue(interaction.user_id for interaction in interactions)
        return recorded_message(recorded)

    async def GetInterests(  # noqa: N802
        self, request: pb.GetInterestsRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> pb.GetInterestsResponse:
        leave_out_erased(request, self._erasure.erased)
        user_id, k = self._read_user(request), read_k(request.k, self._limits)
        deadline = _deadline(context, self._deadline_s)
        interests = await self._recommender.interests(user_id, k, deadline)
        interests.degraded.extend(self._preferences.degraded([request.user_id]))
        return interests_message(interests)

    async def ForecastInterests(  # noqa: N802
        self, request: pb.ForecastInterestsRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> pb.ForecastInterestsResponse:
        leave_out_erased(request, self._erasure.erased)
        user_id, k = self._read_user(request), read_k(request.k, self._limits)
        steps, deadline = read_steps(request.steps), _deadline(context, self._deadline_s)
        forecast = await self._recommender.forecast(user_id, steps, k, deadline)
        forecast.degraded.extend(self._preferences.degraded([request.user_id]))
        return forecast_message(forecast)

    async def EraseUser(  # noqa: N802
        self, request: pb.EraseUserRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> pb.EraseUserResponse:
        user_id = read_id("user_id", request.user_id)
        request.Clear()  # the log of requests must not have the id
        interactions, exposures = await self._erasure.erase(user_id)
        return pb.EraseUserResponse(interactions=interactions, exposures=exposures)

    async def SetPreferences(  # noqa: N802
        self, request: pb.SetPreferencesRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> pb.SetPreferencesResponse:
        leave_out_erased(request, self._erasure.erased)
        user_id = read_id("user_id", request.user_id)
        if not request.HasField("personalized"):
            raise InvalidRequest("personalized: expected true or false, got nothing")
        await self._preferences.set_personalized(user_id, request.personalized)
        return pb.SetPreferencesResponse()

    def _leave_out_not_personalized(self, request: pb.RecommendRequest) -> None:
        """Let nothing be read of users whose answers are not personalized, also if others follow them."""
        is_personalized = self._preferences.is_personalized
        if request.user_id and not is_personalized(request.user_id):
            request.personalized = False
        followed = list(filter(is_personalized, request.followed_user_ids))
        if len(followed) < len(request.followed_user_ids):
            request.followed_user_ids[:] = followed

    def _read_user(self, request: pb.GetInterestsRequest | pb.ForecastInterestsRequest) -> str:
        """Return the id, or that of nobody for a user whose answers are not personalized."""
        user_id = read_id("user_id", request.user_id)
        return user_id if self._preferences.is_personalized(user_id) else ""


def _deadline(context: "grpc.aio.ServicerContext[Any, Any]", limit_s: float) -> Deadline:
    """Return the client's deadline, or the one in `limit_s` seconds if that is earlier."""
    remaining_s = context.time_remaining()
    return Deadline.after(limit_s if remaining_s is None else min(limit_s, remaining_s))
