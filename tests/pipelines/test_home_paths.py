"""Every part keeps its files inside the home, whatever characters the path of the home has."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from components.fetch_training_set.training_set import fetch
from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
from components.ingest_interactions.ingestion import Outputs, Sources, ingest
from components.materialize_features.materialization import materialize
from components.push_release.promotion import push
from components.saved_model import ServedModel
from components.train_interest_model.experiment_tracking import tracked_run
from feature_repo.histories import History
from feature_repo.interaction import Interaction
from feature_repo.store_addresses import FeatureStoreAddresses
from pipelines.settings import Settings, load_settings
from serving.interest.model_server_client import InterestClient
from serving.model_server.server import create_server
from serving.online_store.online_features import OnlineFeatures
from serving.release.release_store import ReleaseStore
from serving.user_data.interaction_log import InteractionLog
from tests.components.register_release.test_registration import MODEL, Release
from tests.fake_model_server import fake_model_server, interests
from tests.feature_repo.planted import START, build_warehouse, interaction
from tests.patience import HANG_S
from tests.serving.model_server.tiny_model import export

# Characters with a meaning in URLs, in patterns of file names, in fsspec's chains and in SQL.
NAME = "a#b?c%20d é::e'f"


def look_alike(home: Path) -> Path:
    """A path that matches the home's path, when that is read as a pattern."""
    return home.with_name(home.name.replace("?", "x"))


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """Settings of an empty home; at the end everything that was written is inside of it."""
    settings = load_settings(home=tmp_path / NAME)
    settings.prepare_home()
    before = sorted(Path.cwd().iterdir())
    yield settings
    shutil.rmtree(look_alike(settings.home), ignore_errors=True)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert sorted(Path.cwd().iterdir()) == before


def test_ingested_rows_stay_in_the_home(settings: Settings) -> None:
    file = settings.home / "log.csv"
    file.write_text("user_id,item_id,timestamp\nann,tea,1700000000\nann,milk,1700000005\n")
    outputs = [settings.home / name for name in ("interactions", "items", "users", "feedback")]
    sources = Sources(interactions_file=str(file), interaction_log=settings.interaction_log)
    ingest(sources, FeedbackOptions(), settings.warehouse, Outputs(*outputs))
    shutil.copytree(settings.home, look_alike(settings.home))
    ingest(sources, FeedbackOptions(), settings.warehouse, Outputs(*outputs))

    assert list(Path(settings.warehouse, "interactions").glob("*.parquet"))
    assert [len(pq.read_table(path)) for path in outputs[:3]] == [2, 2, 1]


def test_recorded_interactions_stay_in_the_home(settings: Settings) -> None:
    log = InteractionLog(settings.interaction_log)
    log.record([Interaction("1", "ann", "tea", "view", START, 1.0)])
    log.close()

    assert (settings.home / "interaction_log.db").stat().st_size > 0


def test_features_stay_in_the_home(settings: Settings) -> None:
    rows = [interaction("ann", f"i{at}", at) for at in range(4)]
    warehouse = build_warehouse(settings.home, rows, START + 100)
    addresses = FeatureStoreAddresses(warehouse.features, settings.registry, settings.online_store)
    shutil.copytree(settings.home, look_alike(settings.home))
    training_set = settings.home / "training_set.parquet"
    fetch(warehouse.spine, addresses, training_set)
    materialize(addresses, START + 100)

    assert len(pq.read_table(training_set)) == len(pq.read_table(warehouse.spine))
    snapshot = OnlineFeatures(addresses).user("ann")
    assert snapshot is not None
    assert snapshot.history.item_ids == ["i0", "i1", "i2", "i3"]


def test_experiments_stay_in_the_home(settings: Settings) -> None:
    with tracked_run(settings.tracking_uri, "penchant", "", "train") as tracker:
        tracker.log_text("hello", "note.txt")
        copy = tracker.client.download_artifacts(tracker.run_id, "note.txt", str(settings.home))

    assert Path(copy).read_text() == "hello"
    assert (settings.home / "mlflow/mlflow.db").exists()
    assert list(settings.home.glob("mlflow/artifacts/penchant/*/artifacts/note.txt"))


def test_releases_stay_in_the_home(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.push_release.promotion.materialize_interests", lambda *arguments: None)
    addresses = FeatureStoreAddresses(settings.features, settings.registry, settings.online_store)
    with fake_model_server(interests(3)) as server:
        server.version = version = Release(settings.home, settings.tracking_uri).register()
        uri, history = settings.tracking_uri, settings.review_history
        push(version, "ada", MODEL, uri, settings.releases, server.address, addresses, history)

    store = ReleaseStore(settings.releases)
    assert store.live() == version
    assert len(store.open(version).catalog) == 3


def test_a_model_is_served_from_the_home(settings: Settings) -> None:
    models = Path(settings.releases, "interest")
    export(models / "1", scale=1)
    with ServedModel(models / "1"):
        pass
    server, port = create_server(models)
    server.start()
    client = InterestClient(f"127.0.0.1:{port}")
    one = History(["1"], ["i3"], ["view"], [1.0], [START])
    interest = client.interest([one], version=1, timeout_s=HANG_S).interest
    client.close()
    server.stop().wait()

    np.testing.assert_array_equal(interest, [[3.0, 1.0]])
