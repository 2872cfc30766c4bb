"""The stages of an answer: history, scenario, interest, retrieval, rules, reranking, explanations."""

import asyncio
import logging
import time
from collections.abc import Callable, Container, Iterable
from typing import Final, Protocol

from feature_repo.histories import History
from serving.answers import (
    Answer,
    Basis,
    Degradation,
    Fallback,
    InterestForecast,
    Recommendation,
    Stage,
    UserInterests,
)
from serving.deadline import Budgets, Deadline
from serving.errors import CircuitOpen, Unavailable
from serving.experiments.arm_answers import ArmAnswers, Composed
from serving.experiments.running_experiment import RunningExperiment
from serving.experiments.shadow import Shadow
from serving.exposures.answer_origin import AnswerOrigin
from serving.interest.user_interest import InterestModelClient, UserInterest
from serving.ranking.candidate_set import Candidates
from serving.ranking.category_interests import category_interests
from serving.ranking.indexed_user import IndexedUser
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.query import Query
from serving.ranking.ranked_items import RankedItems
from serving.ranking.request import DEFAULT_K, Request
from serving.release.arrays import FloatArray
from serving.request_ranking import RequestRanking
from serving.telemetry.logs import OncePerSecond
from serving.telemetry.metrics import Metrics
from serving.user_data.history_reader import HistoryReader
from serving.user_data.request_context import EMPTY_CONTEXT, RequestContextReader, clock_us
from serving.user_history import UserHistory

logger = logging.getLogger(__name__)
logger.addFilter(OncePerSecond())

# Iterations of the event loop until a call to the model is sent: one starts the task, one is gRPC's own.
LOOP_ITERATIONS_TO_SEND: Final = 2

# The time limit of a prefetch.
_PREFETCH_TIMEOUT_S: Final = 1.0


class Exposures(Protocol):
    """Implemented by serving.exposures.exposure_log.ExposureLog."""

    async def record(
        self, request: Request, answer: Answer, origin: AnswerOrigin, budget_s: float, /
    ) -> Degradation | None: ...


class Experiments(Protocol):
    """Implemented by serving.experiments.experiment_watcher.ExperimentWatcher."""

    @property
    def running(self) -> RunningExperiment | None: ...


class NoExperiments:
    """There is no experiment."""

    running: RunningExperiment | None = None


class Releases(Protocol):
    """Implemented by serving.release_watcher.ReleaseWatcher."""

    @property
    def current(self) -> LoadedRelease | None: ...
    def live(self) -> LoadedRelease: ...


class RecommendationEngine:
    """Answers requests with the live release; an answer lists each failed dependency in `degraded`."""

    def __init__(
        self,
        releases: Releases,
        histories: HistoryReader,
        model: InterestModelClient,
        metrics: Metrics,
        budgets: Budgets,
        request_context: RequestContextReader,
        exposures: Exposures,
        clock: Callable[[], int] = clock_us,
        experiments: Experiments | None = None,
        is_personalized: Callable[[str], bool] = lambda user_id: True,
    ) -> None:
        """`clock` returns µs since the epoch; nothing is prefetched for a user who is not personalized."""
        self._releases, self._histories, self._interests = releases, histories, UserInterest(model, metrics)
        self._metrics, self._budgets, self._request_context = metrics, budgets, request_context
        self._exposures, self._clock = exposures, clock
        self._experiments, self._is_personalized = experiments or NoExperiments(), is_personalized
        self.shadow = Shadow(self._compose, metrics)
        self._arms = ArmAnswers(self._compose, self.shadow, metrics)

    async def recommend(
        self, request: Request, deadline: Deadline, degraded: Iterable[Degradation] = ()
    ) -> Answer:
        """Return the best k items for a user.

        Args:
            degraded: what has failed before; the record of the answer is without it.

        Raises:
            Unavailable: no release is live.
        """
        live, running = self._releases.live(), self._experiments.running
        if running is None:
            answer, origin = await self._compose(live, request, deadline)
        else:
            answer, origin = await self._arms.answer(running, live, request, deadline)
        # No more time than a read of the history has: the answer must not wait for a lock of the log.
        not_recorded = await self._exposures.record(
            request, answer, origin, self._budgets.for_history(deadline)
        )
        if not_recorded:
            answer.degraded.append(not_recorded)
        answer.degraded.extend(degraded)
        self._metrics.count_answer(answer, origin.scenario)
        return answer

    async def _compose(
        self, release: LoadedRelease, request: Request, deadline: Deadline, stored: UserHistory | None = None
    ) -> Composed:
        """Return the answer of a release, and how it came about; `stored` saves reading the history."""
        start = time.perf_counter()
        with self._metrics.stage("history"):
            stored = stored or await self._read(request.user_id, deadline)
            user = stored.with_request_history(request.history)
        feedback = release.ranking.feedback
        context = await self._request_context.read(request, feedback, self._budgets.for_history(deadline))
        degraded = [*user.degraded, *context.degraded]
        with self._metrics.stage("interest"):
            indexed, query = await self._query(release, user, deadline, degraded)
        late = not self._budgets.allow_ranking(deadline)
        if late:
            degraded.append(Degradation(Stage.RANKING, "too little time was left", Fallback.TRENDING))
        cold = late or indexed.is_cold
        with self._metrics.stage("retrieval"):
            now = self._clock()
            ranking = RequestRanking(
                release, request, indexed, query, now, user.profile, context, cold, degraded
            )
            retrieved = ranking.retrieve(release.trending if late else None)
        items, ranked, candidates, basis = self._rank(ranking, retrieved)
        if basis == Basis.HISTORY and not len(stored.history):
            basis = Basis.REQUEST_HISTORY
        answer = Answer(
            recommendations=items,
            release_version=release.version,
            request_id=request.request_id,
            basis=basis,
            degraded=degraded,
            removed=ranking.removed(retrieved, ranked) if request.explain else [],
            dislike_effects=release.dislike_effects(query, ranked),
            removed_counts=ranking.removed_counts(ranked),
        )
        latency_us = round((time.perf_counter() - start) * 1e6)
        return answer, AnswerOrigin(ranked, candidates.items, now, stored, request.scenario.name, latency_us)

    async def prefetch(self, user_id: str) -> None:
        """Compute and cache what the user's next answer needs; that answer reports what fails here.

        Not for a busy user: who records without pause waits for no answer, or for few.
        """
        live, running = self._releases.current, self._experiments.running
        if live is None or self._histories.is_busy(user_id) or not self._is_personalized(user_id):
            return
        release = running.release_of_user(user_id, live, time.time()) if running else live
        deadline = Deadline.after(_PREFETCH_TIMEOUT_S)
        user = await self._read(user_id, deadline)
        if user.degraded or user.is_busy:
            return
        indexed, query = await self._query(release, user, deadline, [])
        if indexed.is_cold:
            return
        release.prepare(query)
        await asyncio.sleep(0)  # calls that have come meanwhile go first
        # An answer computes more than scores: the sources of its items, and their reasons.
        request, context = Request(user_id, DEFAULT_K), EMPTY_CONTEXT
        ranking = RequestRanking(
            release, request, indexed, query, self._clock(), user.profile, context, cold=False
        )
        retrieved = ranking.retrieve()
        ranked, _ = ranking.rank(retrieved, ranking.select(retrieved))
        ranking.present(ranked)

    async def interests(self, user_id: str, k: int, deadline: Deadline) -> UserInterests:
        """Return the user's k strongest categories.

        Raises:
            Unavailable: no release is live.
        """
        release = self._releases.live()
        with self._metrics.stage("history"):
            user = await self._read(user_id, deadline)
            indexed = release.index(user)
        query = indexed.query(None)
        interests, shift = category_interests(query.history, query.votes, release.ranking.catalog)
        return UserInterests(interests[:k], shift, release.version, list(user.degraded))

    async def forecast(self, user_id: str, steps: int, k: int, deadline: Deadline) -> InterestForecast:
        """Return the user's interest at the next `steps`, each with k items and categories.

        Raises:
            Unavailable: no release is live, or the model did not answer.
        """
        release = self._releases.live()
        with self._metrics.stage("history"):
            user = await self._read(user_id, deadline)
            indexed = release.index(user)
        if indexed.is_cold:
            return InterestForecast([], release.version, list(user.degraded))
        with self._metrics.stage("interest"):
            forecast = await self._interests.forecast(
                user, release.version, self._budgets.for_interest(deadline)
            )
        request, now = Request(user_id, k), self._clock()
        # In a thread, because the products with a large catalog take tens of milliseconds.
        points = await asyncio.to_thread(release.interest_points, indexed, forecast[:steps], request, now)
        return InterestForecast(points, release.version, list(user.degraded))

    def forget(self, users: Container[str]) -> None:
        """Drop what is cached of these users; may be called in any thread."""
        self._histories.forget(users)
        self._interests.forget(users)
        running = self._experiments.running
        compared = running.releases.values() if running else ()
        for release in {self._releases.current, *compared}:
            if release:
                release.forget(users)

    def _rank(
        self, ranking: RequestRanking, retrieved: Candidates
    ) -> tuple[list[Recommendation], RankedItems, Candidates, Basis]:
        """Return the recommendations, the ranked items, the permitted candidates, and the basis."""
        with self._metrics.stage("rules"):
            candidates = ranking.select(retrieved)
        with self._metrics.stage("reranking"):
            ranked, basis = ranking.rank(retrieved, candidates)
        with self._metrics.stage("explanations"):
            items = ranking.present(ranked)
        return items, ranked, candidates, basis

    async def _read(self, user_id: str, deadline: Deadline) -> UserHistory:
        if not user_id:
            return UserHistory(History())
        user = await self._histories.read(user_id, self._budgets.for_history(deadline))
        if user.as_of:
            self._metrics.observe_snapshot(user.as_of)
        return user

    async def _query(
        self,
        release: LoadedRelease,
        user: UserHistory,
        deadline: Deadline,
        degraded: list[Degradation],
    ) -> tuple[IndexedUser, Query]:
        """Return the user in item indexes, and the query, with the interest if the model answers.

        All that needs no interest is computed during the call to the model. That shows whether the user is
        cold: then the call is cancelled.
        """
        interest = self._interests.cached(user, release.version)
        if interest is not None or not len(user.history):
            indexed = release.index(user)
            return indexed, indexed.query(None if indexed.is_cold else interest)
        async with asyncio.TaskGroup() as group:
            call = group.create_task(self._interest(release.version, user, deadline))
            for _ in range(LOOP_ITERATIONS_TO_SEND):
                await asyncio.sleep(0)
            indexed = release.index(user)
            if indexed.is_cold:
                call.cancel()
            else:
                release.prepare(indexed.query(None))
        answered = None if indexed.is_cold else call.result()
        if isinstance(answered, Degradation):
            degraded.append(answered)
            answered = None
        return indexed, indexed.query(answered)

    async def _interest(
        self, version: int, user: UserHistory, deadline: Deadline
    ) -> FloatArray | Degradation:
        """Return the interest that the model computes, or what the answer lacks without it."""
        try:
            return await self._interests.compute(user, version, self._budgets.for_interest(deadline))
        except Unavailable as error:
            logger.warning("no interest: %s", error)
            is_open = isinstance(error, CircuitOpen)
            reason = "the model does not respond" if is_open else "the model gave no answer in time"
            return Degradation(Stage.INTEREST, reason, Fallback.COLLABORATIVE_FILTERS)
