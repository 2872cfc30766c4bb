"""The drift benchmark put to a release and its rivals: who switches, and what each model answers."""

from pathlib import Path
from typing import Final

import numpy as np

from components.evaluate_release.data.held_out import SEED, HeldOut
from components.evaluate_release.data.queries import Indexes, Queries, read_windows
from components.evaluate_release.data.ranked_queries import RankedQueries
from components.evaluate_release.drift.drift_metrics import ENOUGH, DriftMetrics, DriftResults, measure
from components.evaluate_release.drift.interest_shifts import STEPS, InterestShift, as_queries, of_real_users
from components.evaluate_release.drift.item_groups import ItemGroups, find_item_groups
from components.evaluate_release.drift.simulated_users import of_simulated_users
from components.evaluate_release.model_names import LABELS, SERVED
from components.evaluate_release.models import baselines
from components.evaluate_release.models.full_ranking import rank_all
from components.evaluate_release.models.served_ranking import ServedRanking
from components.progress import report
from components.saved_model import SavedInterestModel
from serving.ranking.fold_in import fold_in
from serving.release.arrays import FloatArray
from serving.release.ranking_data import Ranking

USERS: Final = 100


def study(ranking: Ranking, saved_model: Path, held: HeldOut) -> DriftResults:
    """Measure real and simulated users on a ranking whose blend is fitted."""
    tastes = find_item_groups(ranking.catalog, ranking.filters, SEED)
    if tastes is None:
        return DriftResults(
            why="Drift was not measured: neither categories nor clusters of items tell two tastes apart."
        )
    windows = read_windows(held.training_set, held.index, SEED)
    switches = {
        "real": of_real_users(held.test, windows, tastes, USERS, SEED),
        "simulated": of_simulated_users(held, ranking.filters.popularity, tastes, USERS, SEED),
    }
    results = _measured(ranking, saved_model, held, tastes, switches)
    for kind, drift in results.kinds.items():
        _tell(kind, drift)
    if results.why:
        report(results.why)
    return results


def _measured(
    ranking: Ranking,
    saved_model: Path,
    held: HeldOut,
    tastes: ItemGroups,
    switches: dict[str, list[InterestShift]],
) -> DriftResults:
    enough = {kind: users for kind, users in switches.items() if len(users) >= ENOUGH}
    found = {}
    if enough:
        with SavedInterestModel(saved_model) as model:
            for kind, users in enough.items():
                queries = as_queries(users, held.index, held.keep_seen)
                answers = _answers(ranking, model, queries, len(users))
                found[kind] = measure(users, tastes, answers)
    kinds = {kind: drift for kind, drift in found.items() if drift is not None}
    missing = [f"{kind} users ({len(users)} found)" for kind, users in switches.items() if kind not in kinds]
    why = (
        f"Drift was not measured on {' and '.join(missing)}: at least {ENOUGH} are needed." if missing else ""
    )
    return DriftResults(tastes.kind, kinds, why)


def _answers(
    ranking: Ranking, model: SavedInterestModel, queries: Queries, users: int
) -> dict[str, RankedQueries]:
    """Model -> its answers to the queries [STEPS x users], the served ranking first."""
    n_items, interest = len(ranking.catalog), model.interest(queries.histories, queries.attributes)

    def ranked(vectors: FloatArray, embeddings: FloatArray) -> RankedQueries:
        return rank_all(lambda part: vectors[part] @ embeddings.T, queries, n_items)

    answers = {
        SERVED: ServedRanking(ranking, queries, interest).answers(),
        "interest": ranked(interest, ranking.item_embeddings),
    }
    if (factors := ranking.filters.als) is not None:
        folded_in = _folded_in(factors, queries.items)
        answers["als_folded_in"] = ranked(folded_in, factors)
        # Trained every night: who somebody is stays as it was before the switch.
        answers["als"] = ranked(np.tile(folded_in[:users], (len(STEPS), 1)), factors)
    return answers | {"popularity": baselines.popularity(queries, ranking.filters.popularity)}


def _folded_in(item_factors: FloatArray, histories: list[Indexes]) -> FloatArray:
    """[histories, factors] of the factorisation as published: every item of a history counts alike."""
    distinct = [np.unique(items) for items in histories]
    return np.stack([fold_in(item_factors, items, np.ones(len(items), np.float32)) for items in distinct])


def _tell(kind: str, drift: DriftMetrics) -> None:
    report(
        f"drift of {drift.users} {kind} users, {drift.base_rate:.0%} of all interactions of their new taste; "
        f"share of it in the ten after {', '.join(map(str, STEPS))} interactions:"
    )
    for name, found in drift.models.items():
        shares = " ".join(f"{share:.2f}" for share in found.share)
        needed = found.interactions_to_follow or f"more than {STEPS[-1]}"
        report(f"  {LABELS[name]}: {shares}; follows after {needed}, {found.followed:.0%} of users ever")
