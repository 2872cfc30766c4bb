"""Registration: a complete release, the candidate alias, metrics as tags, review decisions."""

import ast
import json
import sys
from pathlib import Path

import mlflow
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient
from scipy.sparse import csr_array

from components.errors import StepError
from components.push_release.publication import verify
from components.register_release.model_registry import Registry
from components.register_release.registered_version import APPROVED, PREVIOUS, REJECTED, WAITING
from components.register_release.registration import LOADER, REQUIREMENTS, register
from feature_repo.contract import SIGNATURES
from feature_repo.table_schemas import ITEMS
from serving.errors import ReleaseError
from serving.release.collaborative_filters import CollaborativeFilters
from serving.release.ranking_data import Ranking
from tests.components.evaluate_release.dossier.test_page import page

MODEL = "penchant"
ITEM_IDS = ["heat", "ronin", "alien"]


class Release:
    """The outputs of the previous steps, as files."""

    def __init__(self, folder: Path, tracking_uri: str, run_id: str = "") -> None:
        """Uses the MLflow run `run_id`; starts one if it is empty."""
        self.tracking_uri = tracking_uri
        self.run_id = run_id or _start_run(folder, tracking_uri)
        self.model, self.filters = folder / "model", folder / "filters"
        self.items, self.evaluation = folder / "items.parquet", folder / "evaluation"
        (self.model / "saved_model" / "variables").mkdir(parents=True)
        (self.model / "saved_model" / "saved_model.pb").write_bytes(b"graph")
        np.save(self.model / "item_embeddings.npy", np.eye(3, dtype=np.float32))
        rows = [dict.fromkeys(ITEMS.names) | {"item_id": item, "title": item} for item in ITEM_IDS]
        pq.write_table(pa.Table.from_pylist(rows, ITEMS), self.items)
        save_filters(self.filters, len(ITEM_IDS))
        self.evaluation.mkdir()
        (self.evaluation / "blend.json").write_text('{"features": [], "weights": []}')
        (self.evaluation / "metrics.json").write_text(
            json.dumps(
                {
                    "metrics": {"ndcg_at_10": 0.1234, "hr_at_10": 0.25},
                    "protocol": "time",
                    "seen_items": "filter",
                    "learned_until": 17,
                    "gate_decision": "better",
                    "reason": "beats popularity",
                }
            )
        )

    def register(self) -> int:
        return register(
            self.model,
            self.filters,
            self.items,
            self.evaluation,
            self.tracking_uri,
            self.run_id,
            MODEL,
            self.tracking_uri,
        )


def _start_run(folder: Path, tracking_uri: str) -> str:
    client = MlflowClient(tracking_uri)
    experiment = client.create_experiment("penchant", artifact_location=(folder / "artifacts").as_uri())
    return str(client.create_run(experiment).info.run_id)


def save_filters(directory: Path, items: int) -> None:
    matrix = csr_array(np.eye(items, dtype=np.float32))
    counts = np.ones(items, np.float32)
    CollaborativeFilters(matrix, matrix, matrix, popularity=counts, trend=counts).save(directory)


@pytest.fixture
def parts(tmp_path: Path, tracking_uri: str) -> Release:
    return Release(tmp_path, tracking_uri)


@pytest.fixture
def registry(parts: Release) -> Registry:
    return Registry(parts.tracking_uri, MODEL, parts.tracking_uri)


def test_a_registered_release_can_be_downloaded_unchanged(
    parts: Release, registry: Registry, tmp_path: Path
) -> None:
    version = parts.register()

    release = registry.download(version, tmp_path / "downloaded")
    verify(release)
    ranking = Ranking.load(release / "ranking", version)
    assert ranking.catalog.item_ids == ITEM_IDS
    assert ranking.manifest["learned_until"] == 17
    assert ranking.manifest["seen_items"] == "filter"
    assert ranking.manifest["metrics"] == {"ndcg_at_10": 0.1234, "hr_at_10": 0.25}
    assert (release / "interest" / "saved_model.pb").read_bytes() == b"graph"


def test_a_new_version_is_the_candidate_with_its_metrics_as_tags(parts: Release, registry: Registry) -> None:
    parts.register()
    second = parts.register()

    newest, oldest = registry.versions()
    assert (newest.number, newest.aliases, newest.review) == (second, ["candidate"], WAITING)
    assert newest.tags["ndcg_at_10"] == "0.1234"
    assert newest.tags["gate_decision"] == "better"
    assert oldest.aliases == []
    assert registry.client.get_run(parts.run_id).info.status == "FINISHED"


def test_the_page_of_a_version_has_its_number_and_the_decisions_until_then(
    parts: Release, registry: Registry
) -> None:
    first = parts.register()
    registry.decide(first, REJECTED, "ada", "too many sequels")
    (parts.evaluation / "dossier.json").write_text(json.dumps(page()))
    (parts.evaluation / "details.html").write_text("<section>details</section>")
    second = parts.register()

    html = mlflow_text(registry, parts.run_id, "evaluation/report.html")
    assert f"<h1>Version {second}</h1>" in html
    assert "too many sequels" in html
    assert "<section>details</section>" in html


def mlflow_text(registry: Registry, run_id: str, artifact: str) -> str:
    return Path(registry.client.download_artifacts(run_id, artifact)).read_text()


def test_versions_on_all_pages_are_listed(
    parts: Release, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered = [parts.register(), parts.register(), parts.register()]
    monkeypatch.setattr("components.register_release.model_registry.PAGE_SIZE", 2)
    assert [version.number for version in registry.versions()] == registered[::-1]


def test_a_decision_is_stored_and_removes_the_candidate_alias(parts: Release, registry: Registry) -> None:
    version = parts.register()

    registry.decide(version, REJECTED, "ada", "too many sequels")

    entry = registry.version(version)
    assert entry.review == REJECTED
    assert entry.tags["reviewed_by"] == "ada"
    assert entry.tags["review_reason"] == "too many sequels"
    assert entry.aliases == []


def test_the_live_alias_is_moved(parts: Release, registry: Registry) -> None:
    first, second = parts.register(), parts.register()
    registry.decide(first, APPROVED, "ada")
    registry.point_live(first, None, "first")
    registry.point_live(second, first, "second")

    assert registry.version(second).aliases == ["candidate", "live"]
    assert registry.version(first).aliases == [PREVIOUS]
    assert registry.known_switch() == "second"
    assert "went_live_at" in registry.version(first).tags


def test_an_unknown_version_raises_with_the_existing_ones(parts: Release, registry: Registry) -> None:
    with pytest.raises(StepError, match=r"no version 9 .* none; train one"):
        registry.version(9)
    parts.register()
    with pytest.raises(StepError, match=r"no version 9 .* there are: 1"):
        registry.version(9)


def test_outputs_with_different_numbers_of_items_raise(parts: Release) -> None:
    save_filters(parts.filters, items=4)

    with pytest.raises(ReleaseError, match=r"'catalog': 3.*'transitions': 4"):
        parts.register()


def test_the_stated_requirements_are_what_the_loader_imports() -> None:
    tree = ast.parse(LOADER.read_text())
    modules = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules += [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    third_party = {str(module).split(".")[0] for module in modules} - sys.stdlib_module_names
    assert {"mlflow", *third_party} == set(REQUIREMENTS)


def test_a_registered_model_has_its_loader_a_signature_and_an_example(
    parts: Release, registry: Registry, tmp_path: Path
) -> None:
    model = registry.download(parts.register(), tmp_path / "downloaded").parents[1]
    assert (model / "code" / LOADER.name).read_text() == LOADER.read_text()
    assert [line.partition("==")[0] for line in (model / "requirements.txt").read_text().split()] == sorted(
        REQUIREMENTS
    )
    loaded = mlflow.models.Model.load(str(model))
    example = loaded.load_input_example(str(model))
    inputs = SIGNATURES["serving_default"]["inputs"]
    assert set(example) == set(inputs) == set(loaded.signature.inputs.input_names())
    assert example["item_ids"].tolist() == [["", *ITEM_IDS[:2]]]
