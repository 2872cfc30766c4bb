"""Answers a recorded request again as it was then, or as another release would have answered it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from serving.answers import Answer, Stage
from serving.api.request_reading import read_request
from serving.api.validation import RequestLimits
from serving.deadline import Budgets, Deadline
from serving.errors import Unavailable
from serving.exposures.exposure import Exposure
from serving.exposures.exposure_store import ExposureStore
from serving.interest.user_interest import InterestModelClient
from serving.protos import recommender_pb2 as pb
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.request import NO_SCENARIO, Request
from serving.ranking.scenarios import Scenario
from serving.recommender import RecommendationEngine
from serving.replay.not_repeatable import NotRepeatable
from serving.replay.past_stores import LogUntil, NoModel, OneRelease, RecordedExposure, ShownUntil
from serving.telemetry.metrics import Metrics
from serving.user_data.history_join import Snapshot
from serving.user_data.history_reader import Features, HistoryReader
from serving.user_data.interaction_log import InteractionLog
from serving.user_data.request_context import RequestContextReader
from serving.user_history import UserVersion

# Nobody waits for the answer.
_LONG_S: Final = 60.0
# The log is read before the items are ranked, and the clock of a database may differ.
_EARLIER_MS: Final = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
# What was missing in these stages is not recorded.
_NOT_REPEATABLE: Final = frozenset({Stage.HISTORY, Stage.RANKING, Stage.FOLLOWED_USERS, Stage.EXPERIMENT})


@dataclass(frozen=True)
class Replayed:
    """An answer that was given again, and what it would have recorded as its exposure."""

    answer: Answer
    exposure: Exposure


# (as_of of a snapshot, µs; release; users who are read together) -> the features as of then, with interest
# states under the release.
PastFeaturesOf = Callable[[int, int, Collection[str]], Features]


@dataclass(frozen=True)
class Replayer:
    """Gives answers again; needs the stores of the recommender as they are now, and earlier features."""

    features: Features
    past: PastFeaturesOf
    log: InteractionLog
    exposures: ExposureStore
    model: InterestModelClient
    scenarios: Mapping[str, Scenario]
    limits: RequestLimits
    metrics: Metrics = field(default_factory=Metrics)  # nobody reads them; one for all, since they take 2 ms

    async def replay(
        self,
        exposure: Exposure,
        release: LoadedRelease,
        explain_k: int | None = None,
        k: int | None = None,
        scenario: str | None = None,
    ) -> Replayed:
        """Return the answer of a release to the recorded request, with the history as of then.

        Args:
            explain_k: explain the best `explain_k` items instead of the request's own number.
            k: return `k` items instead, without explanations.
            scenario: the scenario instead of the request's own; "" for none.

        Raises:
            NotRepeatable: the request is not kept, or what the answer was based on has changed since.
            InvalidRequest: there is no such scenario, or it needs bids that the request does not have.
            Unavailable: a store or the model server can't be reached.
        """
        until, features = self._check(exposure), self._features(exposure, release.version)
        request = self._request(exposure, explain_k, k, scenario)
        answer, shown = await self._answer(request, exposure, release, LogUntil(self.log, until), features)
        without_model = Stage.INTEREST in {each.stage for each in answer.degraded}
        if without_model and not _had_no_model(exposure):
            raise Unavailable(
                f"no model server serves release {release.version}: start one with `penchant serve`"
            )
        return Replayed(answer, _as_then(shown, exposure))

    def _request(
        self, exposure: Exposure, explain_k: int | None, k: int | None, scenario: str | None
    ) -> Request:
        """Return the recorded request, changed by the arguments of `replay`.

        Raises:
            NotRepeatable: the recorded scenario does not exist any more.
            InvalidRequest: as in replay.
        """
        message = pb.RecommendRequest.FromString(exposure.request)
        if scenario is None:
            self._scenario(message.scenario)
        else:
            message.scenario = scenario
        request = read_request(message, self.scenarios, self.limits, exposure.timestamp)
        request = replace(request, request_id=exposure.request_id, message=exposure.request)
        if exposure.experiment and scenario is None:  # the arm may have another one than the request
            request = replace(request, scenario=self._scenario(exposure.scenario))
        if explain_k is not None:
            request = replace(request, explain=True, k=explain_k)
        elif k is not None:
            request = replace(request, explain=False, k=k)
        return request

    async def _answer(
        self, request: Request, exposure: Exposure, release: LoadedRelease, log: LogUntil, features: Features
    ) -> tuple[Answer, Exposure]:
        """Answer the request at the time of `exposure`; return the answer and what it would have recorded."""
        recorded = RecordedExposure()
        histories = HistoryReader(lambda: features, log)
        shown = ShownUntil(self.exposures, exposure.timestamp)
        context = RequestContextReader(histories, log, shown, self.metrics, clock=lambda: exposure.timestamp)
        budgets = Budgets(history_s=_LONG_S, interest_s=_LONG_S, ranking_s=0.0)
        engine = RecommendationEngine(
            OneRelease(release),
            histories,
            NoModel() if _had_no_model(exposure) else self.model,
            self.metrics,
            budgets,
            context,
            recorded,
            clock=lambda: exposure.timestamp,
        )
        try:
            answer = await engine.recommend(request, Deadline.after(4 * _LONG_S))
        finally:
            context.close()
            histories.close()
        assert recorded.exposure
        return answer, recorded.exposure

    def _scenario(self, name: str) -> Scenario:
        """Return the scenario of an answer; NO_SCENARIO for an empty name.

        Raises:
            NotRepeatable: there is none.
        """
        if name and name not in self.scenarios:
            raise NotRepeatable(
                f"the answer had the scenario {name!r}, which is none of "
                f"{', '.join(sorted(self.scenarios))}; set "
                "PENCHANT_SCENARIOS to the file that the recommender had then"
            )
        return self.scenarios[name] if name else NO_SCENARIO

    def _check(self, exposure: Exposure) -> int:
        """Return the time (µs since the epoch) until which the answer had read the log.

        Raises:
            NotRepeatable: as in replay.
        """
        if not exposure.request:
            raise NotRepeatable("the request was longer than 16 KB, and so it was not kept")
        if exposure.credits:
            raise NotRepeatable(
                f"experiment {exposure.experiment} interleaved the answers of two releases; "
                "`penchant experiment show` names them"
            )
        degraded = sorted(_NOT_REPEATABLE.intersection(exposure.degraded.split(",")))
        if degraded:
            raise NotRepeatable(
                f"the answer was degraded ({', '.join(degraded)}), and what it lacked is not recorded"
            )
        for earlier_ms in _EARLIER_MS if exposure.user_id else ():
            until = exposure.timestamp - 1000 * earlier_ms
            delta = self.log.since_until(exposure.user_id, exposure.snapshot, until)
            if UserVersion.of(None, delta).delta == exposure.delta:
                return until
        if exposure.user_id:
            raise NotRepeatable("some of the interactions that the user had recorded until then were deleted")
        return exposure.timestamp

    def _features(self, exposure: Exposure, release: int) -> Features:
        """Return the features that the answer was based on.

        Raises:
            NotRepeatable: they are not kept.
        """
        now, then = self.features, self.past(exposure.snapshot, release, {exposure.user_id})
        current = _read(now, exposure.user_id)
        has_state = current and current.interest_state and current.interest_state.release == release
        is_same = (current.as_of if current else 0) == exposure.snapshot
        if not exposure.user_id or (is_same and has_state):
            return now
        past = _read(then, exposure.user_id)
        if (past.as_of if past else 0) == exposure.snapshot:
            return then
        if is_same:
            return now
        raise NotRepeatable(
            "a later run has replaced the features that the answer was based on, and they are not kept: an "
            "earlier version of the pipeline wrote them, or the user's exposures were deleted meanwhile"
        )


def _read(features: Features, user_id: str) -> Snapshot | None:
    read = features.read(user_id, None)
    return read[1] if read else None


def _had_no_model(exposure: Exposure) -> bool:
    return Stage.INTEREST in exposure.degraded.split(",")


def _as_then(again: Exposure, then: Exposure) -> Exposure:
    """Return the exposure with what is no part of the answer: how long it took, and which arm gave it."""
    return replace(again, latency_us=then.latency_us, experiment=then.experiment, arm=then.arm)
