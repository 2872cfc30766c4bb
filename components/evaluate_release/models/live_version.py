"""The live release beside the candidate: asked the newest test queries, else taken at its recorded figure.

A candidate is measured before it is refitted on everything; what is live has been. Where that taught the live
version more than the candidate knew, the same queries would tell the two apart by their age: then each stands
with what it reached before its own refit.
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
from components.evaluate_release.data.held_out import HeldOut
from components.evaluate_release.data.ranked_queries import RankedQueries
from components.evaluate_release.metrics.accuracy import ndcg
from components.evaluate_release.metrics.metric_calculator import HEADLINE
from components.evaluate_release.models.served_ranking import ServedRanking
from components.evaluate_release.release_gate import ENOUGH, Comparison, Incomparable
from components.saved_model import SavedInterestModel
from feature_repo.contract import INTEREST_MODEL, MANIFEST, RANKING, fingerprint
from serving.errors import PenchantError
from serving.release.release_store import ReleaseStore


@dataclass(frozen=True)
class LiveVersion:
    """The live version, and its answers to the test queries that are new to it."""

    comparison: Comparison | Incomparable
    fresh: NDArray[np.bool_] | None = None  # [test queries] newer than all it has learned from
    answered: RankedQueries | None = None  # to the fresh ones, items as indexes of the candidate's catalog


def compare(releases: str, protocol: str, held: HeldOut, ours: RankedQueries) -> LiveVersion | None:
    """Set the candidate's answers `ours` beside the live version's; None before the first release.

    Raises:
        StepError: live.json names a release that can't be opened.
    """
    with tempfile.TemporaryDirectory() as cache:
        store = ReleaseStore(releases, Path(cache))
        version = store.live()
        if version is None:
            return None
        try:
            manifest = json.loads((store.local(RANKING, version) / MANIFEST).read_text())
            fresh = held.test.cutoffs > manifest["learned_until"]
            unequal = _unequal(manifest, int(np.count_nonzero(fresh)), held.trained_until)
            if not unequal:
                return _on_fresh_queries(store, version, held, fresh, ours)
        except (OSError, KeyError, json.JSONDecodeError, PenchantError) as error:
            raise StepError(
                f"the live release {version} at {releases} can't be opened ({error!r}): roll back to a sound "
                "one with `penchant review rollback`, or remove live.json to start anew"
            ) from error
    return LiveVersion(_as_recorded(version, manifest, protocol, unequal, ours))


def _unequal(manifest: dict[str, Any], n_fresh: int, trained_until: int) -> str:
    """Why the same queries would not do both justice, empty if they do."""
    if manifest["fingerprint"] != fingerprint():
        return "it is of another contract"
    if n_fresh < ENOUGH:
        return f"only {n_fresh} test queries are newer than what it has learned from, {ENOUGH} are needed"
    if manifest["learned_until"] > trained_until:
        return "it has learned from newer interactions than the candidate was measured with"
    return ""


def _on_fresh_queries(
    store: ReleaseStore, version: int, held: HeldOut, fresh: NDArray[np.bool_], ours: RankedQueries
) -> LiveVersion:
    ranking = store.open(version)
    item_ids = ranking.catalog.item_ids
    queries = held.test_for(item_ids).select(fresh)
    with SavedInterestModel(store.local(INTEREST_MODEL, version)) as model:
        interest = model.interest(queries.histories, queries.attributes)
    answered = ServedRanking(ranking, queries, interest, held.profiles).answers()
    comparison = Comparison(
        version=version,
        live=float(ndcg(answered.ranks, 10).mean()),
        candidate=float(ndcg(ours.ranks[fresh], 10).mean()),
        measured=f"both on the {len(queries)} test queries newer than all it has learned from",
    )
    # One more entry: index -1, no item, stays -1.
    ours_of_theirs = pc.fill_null(pc.index_in(pa.array([*item_ids, None], pa.string()), held.index), -1)
    items = ours_of_theirs.to_numpy()[answered.items]
    return LiveVersion(comparison, fresh, RankedQueries(answered.ranks, items))


def _as_recorded(
    version: int, manifest: dict[str, Any], protocol: str, unequal: str, ours: RankedQueries
) -> Comparison | Incomparable:
    recorded = manifest.get("metrics", {}).get(HEADLINE)
    if recorded is None:
        return Incomparable(version, f"its manifest records no {HEADLINE}, and {unequal}")
    if manifest.get("protocol") != protocol:
        return Incomparable(
            version,
            f"it was measured by the protocol {manifest.get('protocol')}, not {protocol}, and {unequal}",
        )
    mean = float(ndcg(ours.ranks, 10).mean())
    return Comparison(version, float(recorded), mean, f"as measured before its own refit, since {unequal}")
