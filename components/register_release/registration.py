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

from components.evaluate_release.dossier.model_card import model_card
from components.evaluate_release.dossier.registered import read_dossier
from components.evaluation_files import FOLDER, MODEL_CARD, PAGE
from components.mlflow_client import connect
from components.progress import report
from components.register_release.model_registry import Registry
from feature_repo import attributes
from feature_repo.attributes import Attributes
from feature_repo.contract import INTEREST_MODEL, RANKING, SIGNATURES, fingerprint
from feature_repo.histories import History, encode
from serving.release.ann_index import EXACT_ITEMS
from serving.release.collaborative_filters import CollaborativeFilters
from serving.release.item_embeddings import load_embeddings
from serving.release.ranking_data import write_ranking

# Packages that load the model: those that its loader imports, and MLflow, which calls the loader.
REQUIREMENTS = ("mlflow", "numpy", "tensorflow")

# MLflow copies this file into the model, so that it loads where Penchant is not installed.
LOADER = Path(__file__).with_name("interest_model_loader.py")


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
        model_id = _log(release, tracking_uri, run_id)
    registry = Registry(tracking_uri, model_name, review_history)
    number = registry.add(f"models:/{model_id}", model_id, run_id, _tags(metrics))
    if dossier := read_dossier(number, evaluation):
        records = [asdict(record) for record in registry.history.records()]
        card = model_card(dossier.page, number, [each for each in records if each["version"] == number])
        registry.client.log_text(run_id, dossier.render(records[::-1]), f"{FOLDER}/{PAGE}")
        registry.client.log_text(run_id, card, f"{FOLDER}/{MODEL_CARD}")
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


def _log(release: Path, tracking_uri: str, run_id: str) -> str:
    """Log the release's folder as an MLflow model, without pickle; return the id of the model.

    `mlflow.pyfunc.log_model` would also load the model and run the example, which takes as long as a smoke
    test; the push makes a better one.
    """
    import mlflow
    from mlflow.models import Model

    mlflow.set_tracking_uri(tracking_uri)  # with which the registry looks up models:/…
    client = connect(tracking_uri)
    experiment_id = client.get_run(run_id).info.experiment_id
    model = client.create_logged_model(experiment_id, "release", source_run_id=run_id)
    with tempfile.TemporaryDirectory() as folder:
        mlflow.pyfunc.save_model(
            f"{folder}/model",
            loader_module=LOADER.stem,
            code_paths=[str(LOADER)],
            data_path=str(release),
            mlflow_model=Model(run_id=run_id, model_id=model.model_id),
            signature=_signature(),
            input_example=_input_example(release / RANKING),
            pip_requirements=[_pinned(name) for name in REQUIREMENTS],
        )
        client.log_model_artifacts(model.model_id, f"{folder}/model")
    client.finalize_logged_model(model.model_id, "READY")
    return str(model.model_id)


def _input_example(ranking: Path) -> dict[str, NDArray[Any]]:
    """Return the inputs of a user who has viewed two items, a minute apart, and has no attributes."""
    item_ids = pq.read_table(ranking / "catalog.parquet", columns=["item_id"])["item_id"][:2].to_pylist()
    times = [60_000_000 * minute for minute in range(1, 1 + len(item_ids))]
    history = History(item_ids, item_ids, ["view"] * len(item_ids), [1.0] * len(item_ids), times)
    inputs = encode([history]) | attributes.encode([Attributes()])
    # JSON has no NaN, the value of padding, which the model skips by its empty item id.
    return {
        name: array.astype(str) if array.dtype == object else np.nan_to_num(array)
        for name, array in inputs.items()
    }


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
