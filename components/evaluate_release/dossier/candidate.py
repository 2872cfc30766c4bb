"""Writes the dossier of a candidate that was just evaluated, compared with the live version."""

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from components.evaluate_release.data.held_out import HeldOut
from components.evaluate_release.dossier.contents import Other, contents
from components.evaluate_release.dossier.facts import RunRecord, facts, hyperparameters_of
from components.evaluate_release.dossier.held_out_answers import HeldOutAnswers
from components.evaluate_release.dossier.items_table import ItemsTable
from components.evaluate_release.dossier.lineage import lineage
from components.evaluate_release.dossier.model_card import model_card, user_page
from components.evaluate_release.dossier.page import render
from components.evaluate_release.dossier.reference import as_evaluated, as_served
from components.evaluate_release.dossier.serving_cost import Servable, ServingCost, measure_serving
from components.evaluate_release.dossier.stored_evaluation import StoredEvaluation, fetch
from components.evaluate_release.drift.data_profile import profile
from components.evaluate_release.report.result_files import utc
from components.evaluate_release.report.results import EvaluationResults
from components.evaluation_files import DETAILS, DOSSIER, MODEL_CARD, USER_PAGE
from feature_repo.contract import INTEREST_MODEL, MANIFEST, RANKING
from serving.errors import PenchantError
from serving.release.ann_index import NEAREST
from serving.release.ranking_data import Ranking
from serving.release.release_store import ReleaseStore

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

# Parts of a published ranking that a candidate gets only when it is registered.
_NOT_MEASURED: Final = ("words", NEAREST, MANIFEST)

THIS, LIVE_VERSION = "this version", "live version"


@dataclass(frozen=True)
class Candidate:
    """The candidate as it was measured: its ranking with the fitted blend, its files, its MLflow run."""

    ranking: Ranking
    saved_model: Path
    files: list[Path]  # of the ranking
    run: "Run"


def write_dossier(
    candidate: Candidate,
    results: EvaluationResults,
    held_out: HeldOut,
    record: RunRecord,
    client: "MlflowClient",
    releases: str,
    details: str,
    directory: Path,
) -> str:
    """Write the candidate's stored evaluation and its dossier into `directory`; return the page."""
    with tempfile.TemporaryDirectory() as cache:
        live = _Live.open(results, ReleaseStore(releases, Path(cache)))
        servables = {THIS: Servable(candidate.ranking, candidate.saved_model, candidate.files)}
        if live and live.servable:
            servables[LIVE_VERSION] = live.servable
        costs = measure_serving(servables, results.test)
    own = _stored(candidate, results, held_out, record, costs[THIS])
    own.write(directory)
    page = contents(own, _other(live, own, results, client, costs.get(LIVE_VERSION)) if live else None)
    (directory / DOSSIER).write_text(json.dumps(page, indent=1, ensure_ascii=False))
    (directory / DETAILS).write_text(details)
    (directory / MODEL_CARD).write_text(model_card(page))
    (directory / USER_PAGE).write_text(user_page(page))
    return render(page, details)


def _stored(
    candidate: Candidate, results: EvaluationResults, held_out: HeldOut, record: RunRecord, cost: ServingCost
) -> StoredEvaluation:
    snapshot = held_out.rows.snapshot
    return StoredEvaluation(
        facts(
            results,
            record,
            utc(held_out.rows.trained_until),
            profile(snapshot, results.catalog),
            hyperparameters_of(candidate.run.data.params),
            lineage(candidate.run, record.pipeline_run, record.image),
            cost,
        ),
        HeldOutAnswers.of(results),
        ItemsTable.of(results.catalog, snapshot.item_counts),
        snapshot.users,
    )


@dataclass(frozen=True)
class _Live:
    """The live version; `servable` is None if its release can't be opened by this code, `closed` says why."""

    version: int
    run_id: str
    servable: Servable | None
    closed: str = ""

    @classmethod
    def open(cls, results: EvaluationResults, store: ReleaseStore) -> "_Live | None":
        if results.live is None:
            return None
        version = results.live.comparison.version
        ranking, saved_model = store.local(RANKING, version), store.local(INTEREST_MODEL, version)
        run_id = json.loads((ranking / MANIFEST).read_text()).get("run_id", "")
        try:
            opened = store.open(version)
        except PenchantError as error:
            return cls(version, run_id, None, str(error))
        files = [path for path in ranking.iterdir() if path.name not in _NOT_MEASURED]
        return cls(version, run_id, Servable(opened, saved_model, files))


def _other(
    live: _Live,
    own: StoredEvaluation,
    results: EvaluationResults,
    client: "MlflowClient",
    cost: ServingCost | None,
) -> Other:
    fetched = fetch(client, live.run_id) if live.run_id else "its manifest names no MLflow run"
    stored = fetched if isinstance(fetched, StoredEvaluation) else None
    missing = (
        [f"The evaluation of {LIVE_VERSION} {live.version} is not there ({fetched})."] if not stored else []
    )
    if not live.servable:
        missing.append(f"The {LIVE_VERSION} {live.version} can't be served by this code: {live.closed}.")
    reference = as_served(results.live)
    if reference is None and stored is not None:
        reference = as_evaluated(own, stored)
    if reference is None:
        missing.append(f"The {LIVE_VERSION} {live.version} has answered none of this version's test queries.")
    serving: dict[str, Any] = asdict(cost) if cost else {}
    return Other(
        live.version, f"{LIVE_VERSION} {live.version}", stored, reference, serving, bool(serving), missing
    )
