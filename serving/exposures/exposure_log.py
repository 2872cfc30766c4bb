"""Records what each answer showed: off the request's path, or before the answer if a scenario asks for it."""

import asyncio
import logging
from collections import Counter
from collections.abc import Collection
from typing import Final, Protocol

import mmh3

from serving.answers import Answer, Degradation, Fallback, Stage
from serving.errors import Unavailable
from serving.exposures.answer_origin import AnswerOrigin
from serving.exposures.experiment_outcomes import ExperimentOutcomes
from serving.exposures.exposure_rows import row_of
from serving.exposures.exposure_table import Row
from serving.exposures.exposure_writer import ExposureWriter, WritableStore
from serving.ranking.request import Request
from serving.telemetry.logs import OncePerSecond
from serving.telemetry.metrics import Metrics
from serving.user_data.bulkhead import Bulkhead

logger = logging.getLogger(__name__)
logger.addFilter(OncePerSecond())

_HASHES: Final = 1 << 32


class ExposuresOf(Protocol):
    """Reads what was shown; implemented by serving.exposures.exposure_store.ExposureStore."""

    def shown(self, user_id: str, after: int, without_request: str, /) -> Counter[str]: ...


class StoredExposures(WritableStore, ExposuresOf, Protocol):
    """The parts of the store that a recommender needs."""

    def outcomes(self) -> ExperimentOutcomes: ...

    def delete_user(self, user_id: str, /) -> int: ...

    def leave_out_followed(self, user_id: str, /) -> int: ...

    def close(self) -> None: ...


class ExposureLog:
    """Records a share of all answers, and each answer under a scenario that records impressions."""

    def __init__(
        self,
        store: StoredExposures,
        metrics: Metrics,
        share: float,
        retention_days: float,
        max_in_flight: int = 16,
    ) -> None:
        """`share` of the requests, 0 to 1, is recorded; the request id decides, in each process alike."""
        self._store, self._metrics, self._limit = store, metrics, share * _HASHES
        self._writer = ExposureWriter(store, metrics, retention_days)
        self._bulkhead = Bulkhead("record-impressions", max_in_flight)

    def start(self) -> None:
        self._writer.start()

    async def record(
        self, request: Request, answer: Answer, origin: AnswerOrigin, budget_s: float
    ) -> Degradation | None:
        """Record an answer if it is of the share or its scenario asks for it.

        Under a scenario that records impressions, the exposure is stored on return, so that the next answer
        counts it; otherwise it is stored soon, or dropped and counted.

        Returns:
            The degradation if an impression could not be stored within `budget_s`.
        """
        must_be_stored = request.scenario.record_impressions and bool(answer.recommendations)
        is_sampled = mmh3.hash(request.request_id, signed=False) < self._limit
        if not is_sampled and not must_be_stored:
            return None
        row = row_of(request, answer, origin)
        if must_be_stored and request.user_id:
            return await self._store_now(row, budget_s)
        if is_sampled:
            self._writer.add(row)
        reason = "the request has no user id"
        return Degradation(Stage.IMPRESSIONS, reason, Fallback.NOT_RECORDED) if must_be_stored else None

    async def flush(self, request_ids: Collection[str], timeout_s: float) -> None:
        """Wait until the exposures of these requests are stored, as far as this process has them.

        An interaction with an answer then never outlives the exposure of the answer.
        """
        if request_ids and (flushed := self._writer.flush(request_ids)):
            try:
                async with asyncio.timeout(max(0.0, timeout_s)):
                    await asyncio.wrap_future(flushed)
            except TimeoutError:
                logger.warning("an exposure is not stored before the interaction with it")

    def close(self) -> None:
        """Write what waits, for at most some seconds."""
        self._bulkhead.close()
        self._writer.close()

    async def _store_now(self, row: Row, budget_s: float) -> Degradation | None:
        with self._metrics.stage("scenario"):
            try:
                await self._bulkhead.run(budget_s, self._store.append, [row])
            except (Unavailable, TimeoutError) as error:
                logger.warning("impressions are not recorded: %r", error)
                self._metrics.exposures["dropped"].inc()
                reason = "the interaction log is unavailable"
                return Degradation(Stage.IMPRESSIONS, reason, Fallback.NOT_RECORDED)
        self._metrics.exposures["stored"].inc()
        return None
