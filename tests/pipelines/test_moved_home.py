"""A home that was moved or copied works where it is, and a copy changes nothing in the original."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
from components.ingest_interactions.ingestion import Outputs, Sources, ingest
from components.ingest_interactions.warehouse.manifest import Warehouse
from components.materialize_features.materialization import materialize
from components.push_release.promotion import push
from components.train_interest_model.experiment_tracking import tracked_run
from feature_repo.interaction import Interaction
from feature_repo.store_addresses import FeatureStoreAddresses
from pipelines.review.decisions import open_registry
from pipelines.settings import Settings, load_settings
from serving.online_store.online_features import OnlineFeatures
from serving.release.release_store import ReleaseStore
from serving.user_data.interaction_log import InteractionLog
from tests.components.register_release.test_registration import ITEM_IDS, MODEL, Release
from tests.fake_model_server import fake_model_server, interests
from tests.feature_repo.planted import START, build_warehouse, interaction

MATERIALIZE = "components.push_release.promotion.materialize_interests"
NOTE = "note.txt"
JOURNALS = ("-wal", "-shm", "-journal")


def addresses(settings: Settings) -> FeatureStoreAddresses:
    return FeatureStoreAddresses(settings.features, settings.registry, settings.online_store)


def snapshot(settings: Settings) -> int:
    """Ingest what was recorded; return the number of interactions in the warehouse."""
    outputs = [settings.home / name for name in ("interactions", "items", "users", "feedback")]
    sources = Sources(interaction_log=settings.interaction_log)
    ingest(sources, FeedbackOptions(), settings.warehouse, Outputs(*outputs))
    return sum(part.rows for part in Warehouse(settings.warehouse).listed("interactions"))


@pytest.fixture
def settings(tmp_path: Path, empty_mlflow_database: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home with a tracked run, a registered release, recorded interactions and materialized features."""
    monkeypatch.setattr(MATERIALIZE, lambda *arguments: None)
    settings = load_settings(home=tmp_path / "first home", model_name=MODEL)
    settings.prepare_home()
    shutil.copy(empty_mlflow_database, settings.home / "mlflow/mlflow.db")
    with tracked_run(settings.tracking_uri, "penchant", "", "train") as tracker:
        tracker.log_text("hello", NOTE)
    Release(settings.home, settings.tracking_uri, tracker.run_id).register()
    log = InteractionLog(settings.interaction_log)
    log.record([Interaction("1", "ann", "tea", "view", START, 1.0)])
    log.close()
    snapshot(settings)
    rows = [interaction("ann", f"i{at}", at) for at in range(4)]
    build_warehouse(settings.home, rows, START + 100)
    materialize(addresses(settings), START + 100)
    return settings


def contents(folder: Path) -> dict[str, object]:
    """Return file -> content; of a SQLite database its rows, because a closed connection tidies its files."""
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(JOURNALS))
    return {str(path): _rows(path) or path.read_bytes() for path in paths}


def _rows(file: Path) -> list[str]:
    if not file.read_bytes().startswith(b"SQLite format 3"):
        return []
    with closing(sqlite3.connect(file)) as connection:
        return list(connection.iterdump())


@pytest.mark.parametrize("is_moved", [True, False], ids=["moved", "copied"])
def test_a_home_works_in_another_place(settings: Settings, tmp_path: Path, is_moved: bool) -> None:
    second = tmp_path / "second home"
    if is_moved:
        settings.home.rename(second)
    else:
        shutil.copytree(settings.home, second)
    before = contents(settings.home)
    there = load_settings(home=second, model_name=MODEL)

    registry = open_registry(there)
    note = registry.client.download_artifacts(registry.version(1).run_id, NOTE)
    assert Path(note).read_text() == "hello"
    with tracked_run(there.tracking_uri, "penchant", "", "train") as tracker:
        tracker.log_text("hello again", "second.txt")
    with fake_model_server(interests(3)) as server:
        uri, history = there.tracking_uri, there.review_history
        push(1, "ada", MODEL, uri, there.releases, server.address, addresses(there), history)
    assert ReleaseStore(there.releases).open(1).catalog.item_ids == ITEM_IDS
    assert snapshot(there) == 1, "the recorded interactions were ingested again"
    materialize(addresses(there), START + 100)
    assert OnlineFeatures(addresses(there)).user("ann") is not None

    assert contents(settings.home) == before
    assert list(second.glob("mlflow/artifacts/penchant/*/artifacts/second.txt"))
