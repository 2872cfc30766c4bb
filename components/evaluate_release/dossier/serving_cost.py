"""Measures what requests cost on this machine: the ranking, the interest model, and the size of a release."""

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from components.evaluate_release.data.held_out import SEED
from components.evaluate_release.data.queries import Queries
from components.saved_model import SavedInterestModel
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.request import Request
from serving.release.arrays import FloatArray
from serving.release.ranking_data import Ranking
from serving.user_history import UserHistory

REQUEST: Final = Request("", k=10)
REQUESTS: Final = 100
MODEL_CALLS: Final = 30  # of the requests, those for which the interest model is timed, too
WARMUP: Final = 5  # requests before these
MEGABYTE: Final = 1_000_000


@dataclass(frozen=True)
class ServingCost:
    """Of one release, on the machine that ran the evaluation, without gRPC, stores, network and caches."""

    requests: int
    ranking_p50_ms: float  # retrieval, rules, reranking and the reasons of ten items
    ranking_p99_ms: float
    model_p50_ms: float  # the interest of one user, with the whole history replayed
    model_mb: float  # the SavedModel on disk
    arrays_mb: float  # embeddings, filters and catalog on disk, most of which are held in memory


@dataclass(frozen=True)
class Servable:
    """A release that is measured: its ranking, its SavedModel, and the files of the ranking."""

    ranking: Ranking
    saved_model: Path
    files: list[Path]  # files, and directories with all that is below


def measure_serving(servables: dict[str, Servable], queries: Queries) -> dict[str, ServingCost]:
    """Measure releases by turns, request after request, so that other load of the machine meets all of them.

    Args:
        queries: the requests are drawn from them, with a fixed seed.

    Returns:
        The cost of each release, by its name in `servables`.
    """
    drawn = np.random.default_rng(SEED).choice(len(queries), WARMUP + REQUESTS).tolist()
    with ExitStack() as stack:
        models = {
            name: stack.enter_context(SavedInterestModel(servable.saved_model))
            for name, servable in servables.items()
        }
        model_ms = _by_turns(
            {name: partial(_interests, model, queries) for name, model in models.items()},
            [[position] for position in drawn[: WARMUP + MODEL_CALLS]],
        )
        interests = {name: _interests(model, queries, drawn) for name, model in models.items()}
    ranking_ms = _by_turns(
        {
            name: partial(_rank, LoadedRelease(servable.ranking), queries, drawn, interests[name])
            for name, servable in servables.items()
        },
        range(WARMUP + REQUESTS),
    )
    return {
        name: ServingCost(
            requests=REQUESTS,
            ranking_p50_ms=float(np.median(ranking_ms[name])),
            ranking_p99_ms=float(np.quantile(ranking_ms[name], 0.99)),
            model_p50_ms=float(np.median(model_ms[name])),
            model_mb=_size(servable.saved_model) / MEGABYTE,
            arrays_mb=sum(map(_size, servable.files)) / MEGABYTE,
        )
        for name, servable in servables.items()
    }


def _by_turns(calls: dict[str, Callable[[Any], object]], arguments: Iterable[Any]) -> dict[str, list[float]]:
    """Return the milliseconds of each call with each argument, without the first WARMUP ones."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for argument in arguments:
        for name, call in calls.items():
            start = time.perf_counter()
            call(argument)
            times[name].append(1000 * (time.perf_counter() - start))
    return {name: measured[WARMUP:] for name, measured in times.items()}


def _interests(model: SavedInterestModel, queries: Queries, positions: list[int]) -> FloatArray:
    attributes = [queries.attributes[position] for position in positions] if queries.attributes else None
    return model.interest([queries.histories[position] for position in positions], attributes)


def _rank(
    release: LoadedRelease, queries: Queries, drawn: list[int], interests: FloatArray, number: int
) -> None:
    """Answer the request of one query as the recommender does for a user whose scores are not cached."""
    position = drawn[number]
    user = release.index(UserHistory(queries.histories[position]))
    query = user.query(None if user.is_cold else interests[number])
    rules = release.rules(REQUEST, int(queries.cutoffs[position]), user.seen, disliked=user.disliked)
    candidates = release.item_filter.select(rules, release.retriever.retrieve(query), REQUEST.k)
    release.present(query, user.event_types, release.rank(query, candidates, REQUEST), explain=False)


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
