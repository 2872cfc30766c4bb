"""Compares any two registered versions."""

from dataclasses import replace
from typing import TYPE_CHECKING

from components.errors import StepError
from components.evaluate_release.dossier.contents import Other, contents
from components.evaluate_release.dossier.reference import as_evaluated
from components.evaluate_release.dossier.registered import Dossier
from components.evaluate_release.dossier.stored_evaluation import StoredEvaluation, fetch

if TYPE_CHECKING:
    from mlflow import MlflowClient


def compare_versions(client: "MlflowClient", before: tuple[int, str], after: tuple[int, str]) -> Dossier:
    """Compare two versions, each given by its number and its MLflow run.

    Raises:
        StepError: the evaluation of one of them can't be had.
    """
    own, other = _stored(client, *after), _stored(client, *before)
    reference = as_evaluated(own, other)
    missing = [] if reference else ["No query was held out in both evaluations."]
    serving = other.facts["serving"]
    name = f"version {before[0]}"
    page = contents(
        replace(own, facts=own.facts | {"gate": None, "notes": []}),
        Other(before[0], name, other, reference, serving, by_turns=False, missing=missing),
    )
    return Dossier(after[0], page)


def _stored(client: "MlflowClient", version: int, run_id: str) -> StoredEvaluation:
    stored = fetch(client, run_id)
    if isinstance(stored, str):
        raise StepError(
            f"version {version} can't be compared: {stored}. Versions that were trained before dossiers were "
            "kept have none; train again with `penchant run`"
        )
    return stored
