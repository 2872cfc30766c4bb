"""Measures interest drift: finds or simulates users who shift, and lets every model recommend to them."""

from pathlib import Path
from typing import Final

import numpy as np
from threadpoolctl import threadpool_limits

from components.evaluate_release.data.held_out import SEED, HeldOut
from components.evaluate_release.data.queries import Indexes, Queries, read_windows
from components.evaluate_release.drift.drift_metrics import MIN_USERS, DriftMetrics, DriftResults, measure
from components.evaluate_release.drift.interest_shifts import (
    STEPS,
    InterestShift,
    as_queries,
    shifts_of_real_users,
)
from components.evaluate_release.drift.item_groups import ItemGroups, find_item_groups
from components.evaluate_release.drift.simulated_users import shifts_of_simulated_users
from components.evaluate_release.models import baselines
from components.evaluate_release.models.full_ranking import rank_all
from components.evaluate_release.models.served_ranking import ServedRanking
from components.metrics.ranked_queries import RankedQueries
from components.model_names import ALS, ALS_FOLDED_IN, INTEREST, LABELS, POPULARITY, SERVED
from components.progress import report
from components.saved_model import SavedInterestModel
from serving.ranking.fold_in import fold_in
from serving.release.arrays import FloatArray
from serving.release.ranking_data import Ranking

MAX_USERS: Final = 100


def measure_drift(ranking: Ranking, saved_model: Path, held_out: HeldOut) -> DriftResults:
    """Measure drift on real and simulated users; the ranking's blend must be fitted."""
    groups = find_item_groups(ranking.catalog, ranking.filters, SEED)
    if groups is None:
        return DriftResults(
            why="Interest drift was not measured: neither categories nor clusters give two item groups."
        )
    windows = read_windows(held_out.rows.windows, held_out.index, SEED, held_out.feedback)
    shifts = {
        "real": shifts_of_real_users(held_out.test, windows, groups, MAX_USERS, SEED),
        "simulated": shifts_of_simulated_users(held_out, ranking.filters.popularity, groups, MAX_USERS, SEED),
    }
    results = _measure_kinds(ranking, saved_model, held_out, groups, shifts)
    for kind, metrics in results.kinds.items():
        _report_kind(kind, metrics)
    if results.why:
        report(results.why)
    return results


def _measure_kinds(
    ranking: Ranking,
    saved_model: Path,
    held_out: HeldOut,
    groups: ItemGroups,
    shifts: dict[str, list[InterestShift]],
) -> DriftResults:
    kinds = {}
    with SavedInterestModel(saved_model) as model:
        for kind, of_kind in shifts.items():
            if len(of_kind) < MIN_USERS:
                continue
            queries = as_queries(of_kind, held_out.index, held_out.keep_seen, held_out.feedback)
            metrics = measure(of_kind, groups, _answers(ranking, model, queries, len(of_kind)))
            if metrics is not None:
                kinds[kind] = metrics
    missing = [
        f"{kind} users ({len(of_kind)} found)" for kind, of_kind in shifts.items() if kind not in kinds
    ]
    why = f"Interest drift was not measured on {' and '.join(missing)}: at least {MIN_USERS} are needed."
    return DriftResults(groups.kind, kinds, why if missing else "")


def _answers(
    ranking: Ranking, model: SavedInterestModel, queries: Queries, users: int
) -> dict[str, RankedQueries]:
    """Map each model to its answers to the queries [STEPS x users], the served ranking first."""
    n_items, interest = len(ranking.catalog), model.interest(queries.histories, queries.attributes)

    def by_product(vectors: FloatArray, embeddings: FloatArray) -> RankedQueries:
        return rank_all(lambda part: vectors[part] @ embeddings.T, queries, n_items)

    answers = {
        SERVED: ServedRanking(ranking, queries, interest).answers(),
        INTEREST: by_product(interest, ranking.item_embeddings),
    }
    if (factors := ranking.filters.als) is not None:
        folded_in = _fold_in_all(factors, queries.liked())
        answers[ALS_FOLDED_IN] = by_product(folded_in, factors)
        # Retrained nightly: a user's factors stay those of before the shift.
        answers[ALS] = by_product(np.tile(folded_in[:users], (len(STEPS), 1)), factors)
    return answers | {POPULARITY: baselines.popularity(queries, ranking.filters.popularity)}


def _fold_in_all(item_factors: FloatArray, histories: list[Indexes]) -> FloatArray:
    """Return [histories, factors] user factors with equal weights of all items, as published."""
    distinct = [np.unique(items) for items in histories]
    with threadpool_limits(1):  # threads would wait for each other: the systems are small
        users = [fold_in(item_factors, items, np.ones(len(items), np.float32)) for items in distinct]
    return np.stack(users)


def _report_kind(kind: str, metrics: DriftMetrics) -> None:
    report(
        f"interest drift of {metrics.users} {kind} users: the new item group's share of the first ten after "
        f"{', '.join(map(str, STEPS))} interactions (its share of all interactions: {metrics.base_rate:.0%})"
    )
    for name, model in metrics.models.items():
        shares = " ".join(f"{share:.2f}" for share in model.share)
        needed = model.interactions_to_follow or f"more than {STEPS[-1]}"
        report(f"  {LABELS[name]}: {shares}; follows {model.followed:.0%} of users, median after {needed}")
