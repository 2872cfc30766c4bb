"""Measures the CPU time of recording an exposure: while a request is answered, and in the writer's thread."""

import asyncio
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from feature_repo.histories import History
from feature_repo.store_addresses import sqlite_url
from serving.answers import Answer, Basis, Recommendation
from serving.exposures.answer_origin import AnswerOrigin
from serving.exposures.exposure_log import ExposureLog
from serving.exposures.exposure_store import ExposureStore
from serving.protos import recommender_pb2 as pb
from serving.ranking.ranked_items import RankedItems
from serving.ranking.request import Request
from serving.release.arrays import NO_ITEMS
from serving.telemetry.metrics import Metrics
from serving.user_history import UserHistory

ANSWERS = 1_000
_ITEMS, _CANDIDATES = 10, 1_400


def exposure_cpu_us(rounds: int) -> tuple[float, float]:
    """Return the CPU time of an answer of ten items, µs: in the answer's thread, and in the writer's.

    Medians of the rounds, each with ANSWERS exposures, which the writer stores in SQLite.
    """
    measured = [_round() for _ in range(rounds)]
    answering, writing = ([each[part] for each in measured] for part in (0, 1))
    return median(answering), median(writing)


def _round() -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        store = ExposureStore(sqlite_url(Path(folder) / "log.db"))
        store.append([])  # creates the table
        log = ExposureLog(store, Metrics(), share=1.0, retention_days=30)
        answering = asyncio.run(_record(log))
        start = time.process_time()
        log.start()
        log.close()
        writing = time.process_time() - start
        store.close()
    return 1e6 * answering / ANSWERS, 1e6 * writing / ANSWERS


async def _record(log: ExposureLog) -> float:
    """Record the answers, and return the CPU seconds."""
    scores, sources = np.linspace(1, 0, _ITEMS, dtype=np.float32), np.full(_ITEMS, 3, np.uint16)
    nothing = np.zeros((_ITEMS, 0), np.float32)
    ranked = RankedItems(NO_ITEMS, sources, scores, nothing, nothing, [], NO_ITEMS, NO_ITEMS)
    origin = AnswerOrigin(ranked, np.arange(_CANDIDATES, dtype=np.int32), 1, UserHistory(History()), "", 1)
    items = [Recommendation(f"item-{number}", "", [], 0.5, [], "") for number in range(_ITEMS)]
    message = pb.RecommendRequest(user_id="u", k=_ITEMS).SerializeToString()
    ids = [f"{number:032x}" for number in range(ANSWERS)]
    requests = [Request("u", _ITEMS, request_id=each, message=message) for each in ids]
    answers = [Answer(items, 1, each, Basis.HISTORY) for each in ids]
    start = time.thread_time()
    for request, answer in zip(requests, answers, strict=True):
        await log.record(request, answer, origin, 1.0)
    return time.thread_time() - start
