"""Compares the candidate with the live version, on new test queries or by the live version's recorded metric.

A candidate is measured before its refit on all data; the live version has had its refit. Where the live
version has trained on newer interactions than the candidate, a comparison on the same queries would be
unfair. Then the metrics that both had before their refits are compared.
"""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components.errors import StepError
from components.evaluate_release.data.held_out import SEED, HeldOut
from components.evaluate_release.metrics.metric_calculator import HEADLINE, Figure
from components.evaluate_release.models.served_ranking import ServedRanking
from components.evaluate_release.release_gate import MIN_QUERIES, Comparison, Incomparable
from components.metrics.accuracy import ndcg
from components.metrics.bootstrap import difference_interval
from components.metrics.ranked_queries import RankedQueries
from components.saved_model import SavedInterestModel
from feature_repo.contract import INTEREST_MODEL, MANIFEST, RANKING, fingerprint
from serving.errors import PenchantError
from serving.release.release_store import ReleaseStore


@dataclass(frozen=True)
class LiveVersion:
    """The comparison with the live version, and its answers to the test queries that are new to it."""

    comparison: Comparison | Incomparable
    new_queries: NDArray[np.bool_] | None = None  # [test queries] newer than the version's training data
    answers: RankedQueries | None = None  # to the new queries, items as indexes of the candidate's catalog


def compare(
    releases: str, protocol: str, held_out: HeldOut, candidate: RankedQueries, figure: Figure
) -> LiveVersion | None:
    """Compare the candidate's answers to the test queries with the live version's; None without a live one.

    Args:
        figure: the candidate's NDCG@10 on all test queries.

    Raises:
        StepError: live.json refers to a release that can't be opened.
    """
    with tempfile.TemporaryDirectory() as cache:
        store = ReleaseStore(releases, Path(cache))
        version = store.live()
        if version is None:
            return None
        try:
            manifest = json.loads((store.local(RANKING, version) / MANIFEST).read_text())
            new_queries = held_out.test.cutoffs > manifest["learned_until"]
            unfair = _why_unfair(manifest, int(np.count_nonzero(new_queries)), held_out.rows.trained_until)
            if not unfair:
                return _on_new_queries(store, version, held_out, new_queries, candidate)
        except (OSError, KeyError, json.JSONDecodeError, PenchantError) as error:
            raise StepError(
                f"the live release {version} at {releases} can't be opened ({error!r}): roll back to an "
                "intact one with `penchant review rollback`, or remove live.json"
            ) from error
    return LiveVersion(_by_recorded_metric(version, manifest, protocol, unfair, figure))


def _why_unfair(manifest: dict[str, Any], n_queries: int, trained_until: int) -> str:
    """Return why a comparison on the same queries would be unfair, "" if it is fair."""
    if manifest["fingerprint"] != fingerprint():
        return "it was built with another contract"
    if n_queries < MIN_QUERIES:
        return f"only {n_queries} test queries are newer than its training data, {MIN_QUERIES} are needed"
    if manifest["learned_until"] > trained_until:
        return "its training data is newer than the candidate's"
    return ""


def _on_new_queries(
    store: ReleaseStore,
    version: int,
    held_out: HeldOut,
    new_queries: NDArray[np.bool_],
    candidate: RankedQueries,
) -> LiveVersion:
    ranking = store.open(version)
    item_ids = ranking.catalog.item_ids
    queries = held_out.test_queries_of(item_ids).select(new_queries)
    with SavedInterestModel(store.local(INTEREST_MODEL, version)) as model:
        interest = model.interest(queries.histories, queries.attributes)
    answers = ServedRanking(ranking, queries, interest, held_out.profiles).answers()
    theirs, ours = ndcg(answers.ranks, 10), ndcg(candidate.ranks[new_queries], 10)
    comparison = Comparison(
        version=version,
        live=float(theirs.mean()),
        candidate=float(ours.mean()),
        difference=difference_interval(ours, theirs, queries.users, SEED),
        measured=f"both on the {len(queries)} test queries newer than its training data",
        queries=len(queries),
    )
    # The additional last entry maps -1, no item, to -1.
    indexes = pc.fill_null(pc.index_in(pa.array([*item_ids, None], pa.string()), held_out.index), -1)
    items = indexes.to_numpy()[answers.items]
    return LiveVersion(comparison, new_queries, RankedQueries(answers.ranks, items))


def _by_recorded_metric(
    version: int, manifest: dict[str, Any], protocol: str, unfair: str, candidate: Figure
) -> Comparison | Incomparable:
    """Compare two means on different queries: the difference has a sign if their intervals don't overlap."""
    recorded = manifest.get("metrics", {}).get(HEADLINE)
    if recorded is None:
        return Incomparable(version, f"its manifest records no {HEADLINE}, and {unfair}")
    if manifest.get("protocol") != protocol:
        return Incomparable(
            version,
            f"it was measured with the protocol {manifest.get('protocol')}, not {protocol}, and {unfair}",
        )
    low, high = (manifest["metrics"].get(f"{HEADLINE}_{bound}") for bound in ("low", "high"))
    difference = None
    if None not in (low, high, candidate.low, candidate.high):
        difference = (float(candidate.low - high), float(candidate.high - low))
    measured = f"each on its own queries before its refit: the same can't be compared, since {unfair}"
    return Comparison(version, float(recorded), candidate.value, difference, measured)
