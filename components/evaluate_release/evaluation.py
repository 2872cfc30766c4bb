"""The evaluation of a candidate: measured, written down, logged."""

import json
from pathlib import Path

import pyarrow.parquet as pq

from components.errors import StepError
from components.evaluate_release.data.held_out import HeldOut
from components.evaluate_release.measurement import measure
from components.evaluate_release.report import result_files, tracking
from components.evaluate_release.report.html_report import write_report
from serving.release.catalog import Catalog
from serving.release.collaborative_filters import CollaborativeFilters
from serving.release.item_embeddings import EMBEDDINGS, load_embeddings
from serving.release.ranking_data import Ranking


def evaluate(
    interest_model: Path,
    collaborative_filters: Path,
    training_set: Path,
    items: Path,
    users: Path | None,
    protocol: str,
    releases: str,
    tracking_uri: str,
    run_id: str,
    *,
    evaluation: Path,
    report: Path,
) -> tuple[str, dict[str, float]]:
    """Evaluate a candidate; write blend.json, metrics.json and metrics.csv to `evaluation`, HTML to `report`.

    Args:
        users: user_id and attributes, where users have some.

    Returns:
        "better" or "worse", and the figures: the served ranking's by their name (`ndcg_at_10`), the others'
        behind their model's (`popularity_ndcg_at_10`).

    Raises:
        StepError: the parts don't belong together, or there is nothing to evaluate on.
    """
    ranking = assemble(interest_model, collaborative_filters, items)
    held = HeldOut.read(training_set, ranking.catalog, keep_seen=keeps_seen(interest_model), users=users)
    results = measure(ranking, interest_model / "saved_model", held, protocol, releases)
    result_files.write(results, evaluation)
    write_report(results, tracking.learning_curves(tracking_uri, run_id), report)
    tracking.log(tracking_uri, run_id, results, evaluation, report)
    return results.verdict.verdict, results.figures_by_name


def keeps_seen(interest_model: Path) -> bool:
    """Whether items seen before may be answered again; the training chose by how often that happens."""
    file = interest_model / "interest_model.json"
    if not file.exists():
        raise StepError(f"no {file}: expected the output of 'Train interest model'; run it again")
    return bool(json.loads(file.read_text())["hyperparameters"]["seen_items"] == "keep")


def assemble(interest_model: Path, collaborative_filters: Path, items: Path) -> Ranking:
    """The candidate as a ranking in memory, its blend not fitted yet.

    Raises:
        StepError: model, filters and catalog disagree about the number of items.
    """
    catalog, filters = (
        Catalog.from_items(pq.read_table(items)),
        CollaborativeFilters.load(collaborative_filters),
    )
    embeddings, precision = load_embeddings(interest_model)
    counts = {
        str(items): len(catalog),
        str(interest_model / EMBEDDINGS): len(embeddings),
        str(collaborative_filters): len(filters.popularity),
    }
    if len(set(counts.values())) != 1:
        raise StepError(f"expected one row an item in each part, got {counts}: give the outputs of one run")
    return Ranking(0, catalog, embeddings, filters, blend={}, manifest={}, precision=precision)
