"""Assembles a release from the steps' outputs and registers it in the model registry."""

import json
import shutil
import tempfile
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.evaluate_release.dossier.dossier_files import FOLDER, PAGE
from components.evaluate_release.dossier.registered import read_dossier
from components.progress import report
from components.register_release.model_registry import Registry
from feature_repo.contract import INTEREST_MODEL, RANKING, SIGNATURES, fingerprint
from serving.release.ann_index import EXACT_ITEMS
from serving.release.collaborative_filters import CollaborativeFilters
from serving.release.item_embeddings import load_embeddings
from serving.release.ranking_data import write_ranking

# Packages that load the model.
REQUIREMENTS = ("tensorflow", "numpy")

LOADER = "components.register_release.mlflow_pyfunc"


def register(
    interest_model: Path,
    collaborative_filters: Path,
    items: Path,
    evaluation: Path,
    tracking_uri: str,
    run_id: str,
    model_name: str,
    review_history: str,
) -> int:
    """Register a release as the candidate and finish its MLflow run; return the version number."""
    metrics = json.loads((evaluation / "metrics.json").read_text())
    with tempfile.TemporaryDirectory() as folder:
        release = Path(folder) / "release"
        ranking = release / RANKING
        release.mkdir()
        shutil.copytree(interest_model / "saved_model", release / INTEREST_MODEL)
        ranking.mkdir()
        catalog, filters = pq.read_table(items), CollaborativeFilters.load(collaborative_filters)
        embeddings, precision = load_embeddings(interest_model)
        write_ranking(
            ranking,
            catalog,
            embeddings,
            filters,
            json.loads((evaluation / "blend.json").read_text()),
            release / INTEREST_MODEL,
            precision=precision,
            interests=_interests(release / INTEREST_MODEL, filters, catalog),
            created_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            run_id=run_id,
            metrics=metrics["metrics"],
            protocol=metrics["protocol"],
            seen_items=metrics["seen_items"],
            learned_until=metrics["learned_until"],
        )
        model = _log(release, tracking_uri, run_id)
    registry = Registry(tracking_uri, model_name, review_history)
    number = registry.add(model.model_uri, model.model_id, run_id, _tags(metrics))
    if dossier := read_dossier(number, evaluation):
        page = dossier.render([asdict(record) for record in reversed(registry.history.records())])
        registry.client.log_text(run_id, page, f"{FOLDER}/{PAGE}")
    registry.client.set_terminated(run_id, "FINISHED")
    report(f"version {number} of {model_name} is the candidate: {metrics['reason']}")
    return number


def _interests(
    saved_model: Path, filters: CollaborativeFilters, catalog: pa.Table
) -> NDArray[np.float32] | None:
    """Return interests that measure a large catalog's approximate index; None for a small catalog."""
    if len(catalog) <= EXACT_ITEMS or not filters.user_items.shape[0]:
        return None
    from components.register_release.interests import sample_interests

    return sample_interests(saved_model, filters.user_items, catalog["item_id"].to_pylist())


def _log(release: Path, tracking_uri: str, run_id: str) -> Any:
    """Log the release's folder as an MLflow model, without pickle."""
    import mlflow

    mlflow.set_tracking_uri(tracking_uri)
    with mlflow.start_run(run_id=run_id):
        return mlflow.pyfunc.log_model(
            name="release",
            loader_module=LOADER,
            data_path=str(release),
            signature=_signature(),
            pip_requirements=[_pinned(name) for name in REQUIREMENTS],
        )


def _signature() -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    def schema(tensors: dict[str, str]) -> Schema:
        dtypes = {name: np.dtype("str" if dtype == "string" else dtype) for name, dtype in tensors.items()}
        return Schema([TensorSpec(dtype, (-1, -1), name) for name, dtype in dtypes.items()])

    serving = SIGNATURES["serving_default"]
    return ModelSignature(inputs=schema(serving["inputs"]), outputs=schema(serving["outputs"]))


def _tags(metrics: dict[str, Any]) -> dict[str, str]:
    headlines = {
        name: f"{value:.4f}"
        for name, value in metrics["metrics"].items()
        if name in ("ndcg_at_10", "hr_at_10")
    }
    return {
        "gate_decision": metrics["gate_decision"],
        "reason": metrics["reason"],
        "protocol": metrics["protocol"],
        "fingerprint": fingerprint(),
        **headlines,
    }


def _pinned(name: str) -> str:
    return f"{name}=={version(name)}"
