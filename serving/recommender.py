"""The story of an answer: history, interest, candidates, rules, reranking, reasons."""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Final

import numpy as np

from feature_repo.histories import History
from feature_repo.interaction import Interaction
from serving.answers import (
    Answer,
    Basis,
    Degradation,
    Fallback,
    Recommendation,
    Removed,
    Stage,
    UserInterests,
)
from serving.deadline import Budgets, Deadline
from serving.errors import CircuitOpen, Unavailable
from serving.interest.user_interest import InterestModelClient, UserInterest
from serving.ranking.category_interests import category_interests
from serving.ranking.loaded_release import LoadedRelease, RankedItems, Recognized
from serving.ranking.request import Request
from serving.ranking.retrieval import Candidates, Query
from serving.release.arrays import FloatArray
from serving.release_watcher import ReleaseWatcher
from serving.request_ranking import RequestRanking
from serving.telemetry.logs import OncePerSecond
from serving.telemetry.metrics import Metrics
from serving.user_data.history_reader import HistoryReader
from serving.user_data.request_context import RequestContextReader
from serving.user_history import UserHistory

logger = logging.getLogger(__name__)
logger.addFilter(OncePerSecond())

# Of the event loop, until a call to the model is on its way: one for the task, one for gRPC's own.
TURNS_TO_SEND: Final = 2

# What is worked out ahead of an answer may take so long at most.
_AHEAD_S: Final = 1.0


class RecommendationEngine:
    """Answers from the live release; each part behind it may fail, and the answer says which did."""

    def __init__(
        self,
        releases: ReleaseWatcher,
        histories: HistoryReader,
        models: InterestModelClient,
        metrics: Metrics,
        budgets: Budgets,
        request_context: RequestContextReader,
    ) -> None:
        self._releases, self._histories, self._interests = releases, histories, UserInterest(models, metrics)
        self._metrics, self._budgets, self._request_context = metrics, budgets, request_context

    async def recommend(self, request: Request, deadline: Deadline) -> Answer:
        """The best k items for a user.

        Raises:
            Unavailable: no release is live.
        """
        release = self._releases.live()
        with self._metrics.stage("history"):
            user = await self._read(request.user_id, deadline)
            history = join(user.history, request.history)
            known, seen = release.known(user)
            if request.history:
                known, seen = release.recognize(history), np.concatenate([seen, known.items])
        around = await self._request_context.read(request, self._budgets.for_history(deadline))
        degraded = [*user.degraded, *around.degraded]
        with self._metrics.stage("interest"):
            query = await self._query(release, known, user, history, deadline, degraded)
        late = not self._budgets.allow_ranking(deadline)
        if late:
            degraded.append(Degradation(Stage.RANKING, "no time was left for it", Fallback.TRENDING))
        cold = late or not len(known.items)
        with self._metrics.stage("retrieval"):
            asked = RequestRanking(release, request, query, user.profile, around, cold, seen, degraded)
            retrieved = asked.retrieve(release.trending if late else None)
        items, removed, ranked, basis = self._ranked(asked, known.event_types, retrieved)
        if basis == Basis.HISTORY and not len(user.history):
            basis = Basis.REQUEST_HISTORY
        if cut := await self._request_context.record_impressions(request, items, deadline.remaining_s()):
            degraded.append(cut)
        answer = Answer(items, release.version, request.request_id, basis, degraded, removed)
        self._metrics.count(answer, ranked.sources, request.scenario.name)
        return answer

    async def prefetch(self, user_id: str) -> None:
        """Work out, and keep, what the user's next answer rests on; what fails is left to that answer."""
        release, deadline = self._releases.current, Deadline.after(_AHEAD_S)
        if release is None:
            return
        user = await self._read(user_id, deadline)
        known, _ = release.known(user)
        if len(known.items) and not user.degraded:
            release.prepare(await self._query(release, known, user, user.history, deadline, []))

    async def interests(self, user_id: str, k: int, deadline: Deadline) -> UserInterests:
        """The user's k strongest categories.

        Raises:
            Unavailable: no release is live.
        """
        release = self._releases.live()
        with self._metrics.stage("history"):
            user = await self._read(user_id, deadline)
            known = release.recognize(user.history)
        interests, shift = category_interests(known.items.tolist(), release.ranking.catalog)
        return UserInterests(interests[:k], shift, release.version, list(user.degraded))

    def _ranked(
        self, asked: RequestRanking, event_types: Sequence[str], retrieved: Candidates
    ) -> tuple[list[Recommendation], list[Removed], RankedItems, Basis]:
        """What is answered, what a rule kept from it, the answer as numbers, and what it rests on."""
        with self._metrics.stage("rules"):
            candidates = asked.select(retrieved)
        with self._metrics.stage("reranking"):
            ranked, basis = asked.rank(retrieved, candidates)
        with self._metrics.stage("explanations"):
            items = asked.present(event_types, ranked)
            removed = asked.removed(retrieved, ranked) if asked.request.explain else []
        return items, removed, ranked, basis

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
        known: Recognized,
        user: UserHistory,
        history: History,
        deadline: Deadline,
        degraded: list[Degradation],
    ) -> Query:
        """With an interest where one can be had; while the model works it out, the release does its part."""
        now = time.time_ns() // 1000
        query = release.query(known, None, now)
        if not len(known.items):
            return query
        interest = self._interests.cached(user, history, release.version)
        if interest is None:
            async with asyncio.TaskGroup() as group:
                asked = group.create_task(self._ask(release.version, user, history, deadline, degraded))
                for _ in range(TURNS_TO_SEND):
                    await asyncio.sleep(0)
                release.prepare(query)
            interest = asked.result()
        return release.query(known, interest, now)

    async def _ask(
        self,
        version: int,
        user: UserHistory,
        history: History,
        deadline: Deadline,
        degraded: list[Degradation],
    ) -> FloatArray | None:
        try:
            return await self._interests.compute(user, history, version, self._budgets.for_interest(deadline))
        except Unavailable as error:
            logger.warning("no interest: %s", error)
            hangs = isinstance(error, CircuitOpen)
            reason = "the model hangs and is left alone" if hangs else "the model gave no answer in time"
            degraded.append(Degradation(Stage.INTEREST, reason, Fallback.COLLABORATIVE_FILTERS))
            return None


def join(stored: History, carried: Sequence[Interaction]) -> History:
    """The stored history with what the request carried; the same item at the same time is the same event."""
    if not carried:
        return stored
    known = set(zip(stored.item_ids, stored.timestamps, strict=True))
    return stored.extend(given for given in carried if (given.item_id, given.timestamp) not in known)
