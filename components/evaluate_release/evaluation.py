"""Evaluates a candidate, writes the results and the dossier to files, and logs them to MLflow."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from components.errors import StepError
from components.evaluate_release.data.held_out import HeldOut
from components.evaluate_release.dossier.candidate import Candidate, write_dossier
from components.evaluate_release.dossier.facts import RunRecord
from components.evaluate_release.measurement import measure, timed
from components.evaluate_release.memory_estimate import check_evaluation_memory
from components.evaluate_release.release_gate import GateDecision
from components.evaluate_release.report import result_files, tracking
from components.evaluate_release.report.details import render_details
from components.metrics.providers import Providers
from components.mlflow_client import connect
from feature_repo.atomic_files import atomic_directory, write_text_atomically
from feature_repo.feedback import FeedbackPolicy
from serving.release.catalog import Catalog
from serving.release.collaborative_filters import CollaborativeFilters
from serving.release.item_embeddings import EMBEDDINGS, load_embeddings
from serving.release.item_words import ItemWords
from serving.release.ranking_data import Ranking


def evaluate(
    interest_model: Path,
    collaborative_filters: Path,
    training_set: Path,
    items: Path,
    users: Path | None,
    interactions: Path | None,
    feedback: FeedbackPolicy,
    protocol: str,
    releases: str,
    tracking_uri: str,
    run_id: str,
    record: RunRecord,
    *,
    evaluation: Path,
    report: Path,
) -> tuple[GateDecision, dict[str, float]]:
    """Evaluate a candidate; write figures and the dossier to `evaluation`, its page to `report`.

    Args:
        users: user_id and attributes, or None.
        interactions: the valid interactions, whose searches the queries get, or None.
        feedback: the sign and strength of each interaction.
        record: the policy of release_gate.decide, and what the dossier says about the run.

    Returns:
        The gate's decision, and the metrics: the served ranking's without a prefix
        (`ndcg_at_10`), the others' with their model's name (`popularity_ndcg_at_10`).

    Raises:
        StepError: the evaluation would need more memory than there is, the inputs are of different runs, or
            there are no held-out queries.
    """
    check_evaluation_memory(training_set, items, users, collaborative_filters)
    keep_seen = keeps_seen(interest_model)
    ranking = assemble(interest_model, collaborative_filters, items, keep_seen)
    held_out = HeldOut.read(training_set, ranking.catalog, feedback, keep_seen, users, interactions)
    results = measure(
        ranking,
        interest_model / "saved_model",
        held_out,
        protocol,
        releases,
        record.policy,
        record.explored,
        record.fairness,
        Providers.read(items, column) if (column := record.fairness.provider_column) else None,
    )
    client = connect(tracking_uri)
    files = [collaborative_filters, interest_model / EMBEDDINGS, items]
    candidate = Candidate(
        replace(ranking, blend=results.blend), interest_model / "saved_model", files, client.get_run(run_id)
    )
    with atomic_directory(evaluation) as staged:
        result_files.write_results(results, staged)
        with timed("compiled the dossier"):
            details = render_details(results, tracking.learning_curves(tracking_uri, run_id))
            page = write_dossier(candidate, results, held_out, record, client, releases, details, staged)
    write_text_atomically(report, page)
    tracking.log(tracking_uri, run_id, results, evaluation, report)
    return results.gate_decision, results.metrics_by_name


def keeps_seen(interest_model: Path) -> bool:
    """Return whether seen items may be recommended again, as the training chose.

    Raises:
        StepError: the training's output has no `interest_model.json`.
    """
    file = interest_model / "interest_model.json"
    if not file.exists():
        raise StepError(f"no {file}: expected the output of 'Train interest model'; run it again")
    return bool(json.loads(file.read_text())["hyperparameters"]["seen_items"] == "keep")


def assemble(
    interest_model: Path, collaborative_filters: Path, items: Path, keep_seen: bool = False
) -> Ranking:
    """Load the candidate's ranking data; its blend is empty until it is fitted.

    `keep_seen`: its answers to recorded requests may have seen items, as once it is released.

    Raises:
        StepError: model, filters and catalog have different numbers of items.
    """
    table, filters = pq.read_table(items), CollaborativeFilters.load(collaborative_filters)
    catalog = Catalog.from_items(table)
    embeddings, precision = load_embeddings(interest_model)
    counts = {
        str(items): len(catalog),
        str(interest_model / EMBEDDINGS): len(embeddings),
        str(collaborative_filters): len(filters.popularity),
    }
    if len(set(counts.values())) != 1:
        raise StepError(f"expected the same number of items everywhere, got {counts}: use one run's outputs")
    words = ItemWords.of(table)
    manifest = {"seen_items": "keep"} if keep_seen else {}
    return Ranking(0, catalog, embeddings, filters, {}, manifest, precision, words=words)
