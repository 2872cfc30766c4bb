"""Answers a recorded request again as it was then, or as another release would have answered it."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from feature_repo.interaction import Interaction
from serving.answer_origin import AnswerOrigin
from serving.answers import Answer, Degradation, Stage
from serving.api.request_reading import read_request
from serving.api.validation import RequestLimits
from serving.deadline import Budgets, Deadline
from serving.errors import Unavailable
from serving.exposures.exposure import Exposure
from serving.exposures.exposure_log import exposure_of
from serving.exposures.exposure_store import ExposureStore
from serving.interest.user_interest import InterestModelClient
from serving.protos import recommender_pb2 as pb
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.request import Request
from serving.ranking.scenarios import Scenario
from serving.recommender import RecommendationEngine
from serving.release.arrays import FloatArray
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


class NotRepeatable(ValueError):
    """The answer can't be given again; the message says why."""


@dataclass(frozen=True)
class Replayed:
    """An answer that was given again, and what it would have recorded as its exposure."""

    answer: Answer
    exposure: Exposure


# (as_of of a snapshot, µs; release) -> the features as of then, with interest states under the release.
PastFeaturesOf = Callable[[int, int], Features]


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

    async def replay(
        self,
        exposure: Exposure,
        release: LoadedRelease,
        explain_k: int | None = None,
        k: int | None = None,
    ) -> Replayed:
        """Return the answer of a release to the recorded request, with the history as of then.

        Args:
            explain_k: explain the best `explain_k` items instead of the request's own number.
            k: return `k` items instead, without explanations.

        Raises:
            NotRepeatable: the request is not kept, or what the answer was based on has changed since.
            Unavailable: a store or the model server can't be reached.
        """
        until, features = self._check(exposure), self._features(exposure, release.version)
        message = pb.RecommendRequest.FromString(exposure.request)
        request = read_request(message, self.scenarios, self.limits, exposure.timestamp)
        request = replace(request, request_id=exposure.request_id, message=exposure.request)
        if exposure.experiment and exposure.scenario != request.scenario.name:  # that of the arm
            request = replace(request, scenario=self._scenario(exposure.scenario))
        if explain_k is not None:
            request = replace(request, explain=True, k=explain_k)
        elif k is not None:
            request = replace(request, explain=False, k=k)
        recorded = _Recorded()
        metrics, log = Metrics(), _LogUntil(self.log, until)
        histories = HistoryReader(lambda: features, log)
        shown = _ShownUntil(self.exposures, exposure.timestamp)
        context = RequestContextReader(histories, log, shown, metrics, clock=lambda: exposure.timestamp)
        budgets = Budgets(history_s=_LONG_S, interest_s=_LONG_S, ranking_s=0.0)
        engine = RecommendationEngine(
            _OneRelease(release),
            histories,
            _NoModel() if Stage.INTEREST in exposure.degraded.split(",") else self.model,
            metrics,
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
        without_model = Stage.INTEREST in {each.stage for each in answer.degraded}
        if without_model and Stage.INTEREST not in exposure.degraded.split(","):
            raise Unavailable(
                f"no model server serves release {release.version}: start one with `penchant serve`"
            )
        return Replayed(answer, _as_then(recorded.exposure, exposure))

    def _scenario(self, name: str) -> Scenario:
        if name not in self.scenarios:
            raise NotRepeatable(f"its arm had the scenario {name!r}, which does not exist any more")
        return self.scenarios[name]

    def _check(self, exposure: Exposure) -> int:
        """Return the time (µs since the epoch) until which the answer had read the log.

        Raises:
            NotRepeatable: as in replay.
        """
        if not exposure.request:
            raise NotRepeatable("the request was longer than 16 KB, and so it was not kept")
        if exposure.teams:
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
        now, then = self.features, self.past(exposure.snapshot, release)
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


def _as_then(again: Exposure, then: Exposure) -> Exposure:
    """Return the exposure with what is no part of the answer: how long it took, and which arm gave it."""
    return replace(again, latency_us=then.latency_us, experiment=then.experiment, arm=then.arm)


class _Recorded:
    """Keeps the exposure of the answer instead of storing it."""

    exposure: Exposure | None = None

    async def record(
        self, request: Request, answer: Answer, origin: AnswerOrigin, budget_s: float
    ) -> Degradation | None:
        self.exposure = exposure_of(request, answer, origin)
        return None


class _NoModel:
    """A model server that is down, as it was when the answer was given."""

    async def interest(self, *_: object) -> FloatArray:
        raise Unavailable("the model server did not answer")

    async def advance(self, *_: object) -> FloatArray:
        raise Unavailable("the model server did not answer")

    async def forecast(self, *_: object) -> FloatArray:
        raise Unavailable("the model server did not answer")

    async def close(self) -> None: ...


class _OneRelease:
    def __init__(self, release: LoadedRelease) -> None:
        self.current: LoadedRelease | None = release

    def live(self) -> LoadedRelease:
        assert self.current
        return self.current


class _LogUntil:
    """The interaction log as it was at a time, µs since the epoch."""

    def __init__(self, log: InteractionLog, until: int) -> None:
        self._log, self._until, self.max_read_s = log, until, log.max_read_s

    def since(self, user_id: str, as_of: int) -> list[Interaction]:
        return self._log.since_until(user_id, as_of, self._until)

    def since_ids(self, user_id: str, as_of: int) -> str:
        return "\n".join(interaction.interaction_id for interaction in self.since(user_id, as_of))

    def newest(self, user_id: str, as_of: int) -> list[Interaction]:
        raise NotRepeatable("the user had recorded more since the last run than a history holds")

    def new_items(self, user_id: str, as_of: int) -> list[str]:
        raise NotRepeatable("the user had recorded more since the last run than a history holds")

    def impressions(self, user_id: str, recorded_after: int) -> list[tuple[str, int]]:
        return self._log.impressions_until(user_id, recorded_after, self._until)


class _ShownUntil:
    """What was shown until a time, µs since the epoch."""

    def __init__(self, exposures: ExposureStore, until: int) -> None:
        self._exposures, self._until = exposures, until

    def shown(self, user_id: str, after: int, without_request: str) -> Counter[str]:
        return self._exposures.shown(user_id, after, without_request, self._until)
