"""The next night's training: from what the last one learned, and never from what is held out now."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.errors import StepError
from components.train_interest_model.export.saved_weights import SavedWeights
from components.train_interest_model.tracking import Tracker
from components.train_interest_model.training import train
from components.train_interest_model.warm_start import (
    LEARNED,
    fetch_base,
    keep,
    leaked,
    read_held_out,
    write_learned,
)
from feature_repo.contract import TRAINING_SET, fingerprint
from tests.components.train_interest_model.conftest import (
    SECOND,
    SMALL,
    RecordingTracker,
    World,
    cycle_rows,
    history_row,
    items_table,
    write_world,
)

NDCG = "validation_ndcg_at_10"
NIGHTLY = {**SMALL, "epochs": 12, "patience": 12}


@pytest.fixture(scope="module")
def first_night(cycle: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("first")
    fit(cycle, output)
    return output


def fit(world: World, output: Path, start: Path | None = None, **settings: object) -> RecordingTracker:
    tracker, chosen = RecordingTracker(), {**NIGHTLY, **settings}
    train(world.training_set, world.items, "train", chosen, output, None, tracker, start)
    return tracker


def second_night(cycle: World, directory: Path) -> World:
    """Everybody has taken two more steps, some of them to items of today."""
    rows = cycle_rows(cycle.item_ids, users=160, length=14)
    for user in range(80):
        rows.append(history_row(f"n{user}", "train", ["i3", "new0", "new1"] * 3))
    return write_world(directory, rows, items_table([*reversed(cycle.item_ids), "new0", "new1"]))


def test_the_second_night_takes_a_third_of_the_steps_and_knows_the_new_items(
    cycle: World, first_night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = second_night(cycle, tmp_path)
    warm = [figures for _, figures in fit(world, tmp_path / "warm", first_night).metrics]
    assert "warm start from weights that know 60 of 62 items" in capsys.readouterr().out
    cold = [figures for _, figures in fit(world, tmp_path / "cold", epochs=2).metrics]
    assert len(warm) == 4
    assert warm[0][NDCG] > 0.8 > 0.4 > cold[0][NDCG]
    assert warm[-1][NDCG] > 0.9
    learned = SavedWeights.load(tmp_path / "warm")
    assert learned.vocabulary.item_ids == world.item_ids
    assert learned.trained(learned.vocabulary).all()


def test_nothing_starts_from_what_has_learned_an_interaction_that_is_held_out_now(
    cycle: World, first_night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The older data of a backfill: everybody's held-out step is one that the first night learned."""
    rows = cycle_rows(cycle.item_ids, users=160, length=8)
    world = write_world(tmp_path, rows, items_table(cycle.item_ids))
    assert leaked(first_night, read_held_out(world.training_set)) == 160
    assert leaked(first_night, read_held_out(cycle.training_set)) == 0
    tracker = fit(world, tmp_path / "out", first_night, epochs=1)
    assert "no warm start: it has learned what is held out now of 160 users" in capsys.readouterr().out
    assert tracker.params["starts_from"] == "nothing"
    assert tracker.metrics[0][1][NDCG] < 0.4


def test_a_leak_is_counted_to_the_microsecond(tmp_path: Path) -> None:
    pq.write_table(pa.table({"user_id": ["a", "b", "c"], "until": [9, 10, 11]}), tmp_path / LEARNED)
    moments = pa.array([10, 20, 10, 10], pa.timestamp("us", tz="UTC"))
    held_out = pa.table({"user_id": ["a", "a", "b", "new"], "cutoff": moments})
    assert leaked(tmp_path, held_out) == 1  # b: what comes at the cutoff is held out


def test_what_the_start_had_learned_counts_as_learned(tmp_path: Path) -> None:
    """Night by night: a user whose interactions are gone since stays known to the weights."""
    earlier, later = tmp_path / "earlier", tmp_path / "later"
    for directory, start, users in ((earlier, None, {"a": 3, "b": 3}), (later, earlier, {"b": 2, "c": 1})):
        directory.mkdir()
        rows = [history_row(user, "train", ["i0"] * length) for user, length in users.items()]
        write_learned(pa.Table.from_pylist(rows, schema=TRAINING_SET), start, directory)
    learned = pq.read_table(later / LEARNED).to_pylist()
    assert {row["user_id"]: row["until"] for row in learned} == {
        "a": 180 * SECOND,
        "b": 180 * SECOND,
        "c": 60 * SECOND,
    }


def test_other_sizes_start_from_nothing(
    cycle: World, first_night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(cycle, tmp_path / "out", first_night, epochs=1, units=8)
    out = capsys.readouterr().out
    assert "no warm start: units would be another" in out
    assert "warm start from" not in out


def test_a_catalog_that_says_more_of_its_items_starts_from_nothing(
    cycle: World, first_night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items = items_table(cycle.item_ids, picture=[[float(place), 1.0] for place in range(60)])
    world = write_world(tmp_path, cycle_rows(cycle.item_ids, users=16, length=12), items)
    fit(world, tmp_path / "out", first_night, epochs=1)
    assert "no warm start: the items' content would be another" in capsys.readouterr().out
    assert SavedWeights.load(tmp_path / "out").content.columns == ["picture"]


def test_a_refit_has_nothing_to_start_from(cycle: World, first_night: Path, tmp_path: Path) -> None:
    train(cycle.training_set, cycle.items, "all", {}, tmp_path, first_night, RecordingTracker())
    assert (first_night / LEARNED).exists()
    assert not (tmp_path / LEARNED).exists()


def test_the_live_versions_run_keeps_what_the_next_starts_from(
    first_night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    experiment = client.create_experiment("x", artifact_location=(tmp_path / "artifacts").as_uri())
    runs = [Tracker(client, client.create_run(experiment).info.run_id) for _ in range(2)]
    releases = tmp_path / "releases"
    assert fetch_base(str(releases), runs[1], tmp_path) is None
    publish(releases, runs[0].run_id, fingerprint())
    assert fetch_base(str(releases), runs[1], tmp_path) is None
    assert "the run of the live version 3 kept no base model" in capsys.readouterr().out

    keep(first_night, runs[0])
    (tmp_path / "fetched").mkdir()
    base = fetch_base(str(releases), runs[1], tmp_path / "fetched")
    assert base is not None
    assert SavedWeights.load(base).vocabulary == SavedWeights.load(first_night).vocabulary
    assert (base / LEARNED).read_bytes() == (first_night / LEARNED).read_bytes()

    publish(releases, "0" * 32, fingerprint())
    assert fetch_base(str(releases), runs[1], tmp_path) is None
    publish(releases, runs[0].run_id, "another")
    assert fetch_base(str(releases), runs[1], tmp_path) is None
    assert "another contract" in capsys.readouterr().out

    (releases / "ranking/3/manifest.json").write_text("{}")
    with pytest.raises(StepError, match="penchant review rollback"):
        fetch_base(str(releases), runs[1], tmp_path)


def publish(releases: Path, run_id: str, contract: str) -> None:
    directory = releases / "ranking" / "3"
    directory.mkdir(parents=True, exist_ok=True)
    (releases / "live.json").write_text(json.dumps({"version": 3, "previous": None}))
    (directory / "manifest.json").write_text(json.dumps({"run_id": run_id, "fingerprint": contract}))
