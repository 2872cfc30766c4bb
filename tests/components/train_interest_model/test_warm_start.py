"""Warm starts: from the previous run's weights, unless they have seen held-out data."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.errors import StepError
from components.train_interest_model.continued_training import for_warm_start
from components.train_interest_model.experiment_tracking import Tracker
from components.train_interest_model.export.saved_weights import ABOUT, SavedWeights
from components.train_interest_model.hyperparameters import Hyperparameters
from components.train_interest_model.training import train
from components.train_interest_model.training_start import Start, start_fit, start_refit
from components.train_interest_model.warm_start import (
    TRAINED_UNTIL,
    count_leaked_users,
    count_new,
    fetch_base,
    log_base_model,
    read_held_out,
    write_trained_until,
)
from feature_repo.contract import fingerprint
from feature_repo.feedback import FeedbackPolicy
from feature_repo.table_schemas import TRAINING_SET
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

pytestmark = pytest.mark.usefixtures("without_export")


@pytest.fixture
def first_night(learned_cycle: Path) -> Path:
    return learned_cycle


def fit(world: World, output: Path, start: Path | None = None, **settings: object) -> RecordingTracker:
    tracker, chosen = RecordingTracker(), {**NIGHTLY, **settings}
    train(world.training_set, world.items, "train", chosen, output, None, tracker, FeedbackPolicy(), start)
    return tracker


def start(world: World, earlier: Path, **settings: object) -> Start:
    """Return what a training of `world` starts from."""
    requested = Hyperparameters.from_dict({**NIGHTLY, **settings})
    return start_fit(world.training_set, world.items, "train", requested, earlier, FeedbackPolicy())


def second_night(cycle: World, directory: Path) -> World:
    """All users have two more interactions, and some have new items."""
    rows = cycle_rows(cycle.item_ids, users=160, length=14)
    for user in range(80):
        rows.append(history_row(f"n{user}", "train", ["i3", "new0", "new1"] * 3))
    return write_world(directory, rows, items_table([*reversed(cycle.item_ids), "new0", "new1"]))


def test_a_warm_start_takes_fewer_epochs_and_learns_new_items(
    cycle: World, first_night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = second_night(cycle, tmp_path)
    before, *warm = [figures for _, figures in fit(world, tmp_path / "warm", first_night).metrics]
    out = capsys.readouterr().out
    assert "warm start: the earlier weights cover 60 of 62 items" in out
    # 1,040 of 2,960: each user's last 2, and the 9 of each new user.
    assert "epochs = 4 (0.35 x those of a cold start: 35.1% of the interactions are new)" in out
    cold = [figures for _, figures in fit(world, tmp_path / "cold", epochs=2).metrics]
    assert len(warm) == 4
    assert warm[0][NDCG] > 0.8 > before[NDCG] > 0.4 > cold[0][NDCG]
    assert warm[-1][NDCG] > 0.9
    learned = SavedWeights.load(tmp_path / "warm")
    assert learned.vocabulary.item_ids == world.item_ids
    assert learned.trained(learned.vocabulary).all()


def test_a_warm_start_keeps_weights_that_no_epoch_improves(
    cycle: World, first_night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rate is so high that training destroys the weights."""
    world = second_night(cycle, tmp_path)
    tracker = fit(world, tmp_path / "kept", first_night, warm_learning_rate_share=1.0, learning_rate=3.0)
    out = capsys.readouterr().out
    assert "no epoch is better than the earlier weights: these stay" in out
    kept, earlier = SavedWeights.load(tmp_path / "kept"), SavedWeights.load(first_night)
    lstm = next(path for path in earlier.arrays if path.endswith("recurrent_kernel"))
    assert np.array_equal(kept.arrays[lstm], earlier.arrays[lstm])
    # So what is new stays new to them.
    until = [pq.read_table(folder / TRAINED_UNTIL) for folder in (tmp_path / "kept", first_night)]
    assert until[0].sort_by("user_id") == until[1].sort_by("user_id")
    assert [epoch for epoch, figures in tracker.metrics if NDCG in figures] == [0, 1, 2, 3, 4]
    best = dict(tracker.metrics)[0]
    assert max(figures[NDCG] for _, figures in tracker.metrics) == best[NDCG]
    assert kept.epochs == 0
    assert np.count_nonzero(kept.trained(kept.vocabulary)) == 60  # not the two new ones


def test_a_warm_start_that_was_interrupted_does_not_begin_again(
    cycle: World, first_night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, log = second_night(cycle, tmp_path), RecordingTracker.log_metrics

    def interrupt(tracker: RecordingTracker, metrics: Mapping[str, float], step: int = 0) -> None:
        log(tracker, metrics, step)
        if step == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(RecordingTracker, "log_metrics", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fit(world, tmp_path / "warm", first_night)
    tracker = fit(world, tmp_path / "warm", first_night)
    assert [epoch for epoch, figures in tracker.metrics if NDCG in figures] == [2, 3, 4]
    fit(world, tmp_path / "at once", first_night)
    resumed, at_once = (SavedWeights.load(tmp_path / name) for name in ("warm", "at once"))
    assert resumed.epochs == at_once.epochs
    assert all(np.array_equal(array, at_once.arrays[path]) for path, array in resumed.arrays.items())


def test_new_are_the_interactions_after_each_users_newest_known(
    tmp_path: Path,
) -> None:
    lengths = {"known": 4, "active": 4, "new": 2}
    rows = [history_row(user, "train", ["i0"] * length) for user, length in lengths.items()]
    table = pa.Table.from_pylist(rows, schema=TRAINING_SET)
    until = pa.table({"user_id": ["known", "active", "gone"], "until": [240 * SECOND, 60 * SECOND, 1]})
    pq.write_table(until, tmp_path / TRAINED_UNTIL)  # of an earlier version
    assert count_new(tmp_path, table).tolist() == [0, 3, 2]


def test_older_interactions_that_were_imported_later_are_new(tmp_path: Path) -> None:
    first, second = (
        pa.Table.from_pylist([history_row("u", "train", ["i0"] * length)], schema=TRAINING_SET)
        for length in (2, 10)
    )
    write_trained_until(first, None, tmp_path)
    assert count_new(tmp_path, first).tolist() == [0]
    learned = pq.read_table(tmp_path / TRAINED_UNTIL)
    newest = learned.set_column(1, "until", pa.array([600 * SECOND]))
    pq.write_table(newest, tmp_path / TRAINED_UNTIL)
    assert count_new(tmp_path, second).tolist() == [8]
    two_windows = pa.Table.from_pylist(
        [history_row("u", "train", ["i0"] * length) for length in (6, 4)], schema=TRAINING_SET
    )
    assert count_new(tmp_path, two_windows).tolist() == [6, 2]
    assert count_new(tmp_path, two_windows.slice(0, 0)).tolist() == []


@pytest.mark.parametrize(
    ("new_share", "epochs", "rate"),
    [(0.0, 1, 0.0015), (0.04, 6, 0.002 / 0.7), (0.16, 10, 0.005), (1.0, 10, 0.005)],
)
def test_epochs_and_rate_of_a_warm_start_follow_what_is_new(
    new_share: float, epochs: int, rate: float
) -> None:
    settings = Hyperparameters(
        epochs=30, patience=10, learning_rate=0.01, warm_epoch_share=0.35, warm_learning_rate_share=0.5
    )
    chosen, _ = for_warm_start(settings, new_share)
    assert chosen.epochs == chosen.patience == epochs
    assert chosen.learning_rate == pytest.approx(rate)


def test_every_epoch_of_a_warm_start_has_the_windows_with_something_new(
    cycle: World, first_night: Path, tmp_path: Path
) -> None:
    world = second_night(cycle, tmp_path)
    data, settings, _ = start(world, first_night)
    assert settings.warm_start
    assert data.sequences.in_every_epoch.all()  # all users have something new
    data, settings, _ = start(cycle, first_night, warm_start=True)
    assert not data.sequences.in_every_epoch.any()
    data, settings, _ = start(cycle, first_night, warm_start=True, units=8)
    assert not settings.warm_start  # as it turned out
    assert data.sequences.in_every_epoch.all()


def test_a_refit_after_a_warm_start_has_the_epochs_and_the_rate_of_one_after_a_cold_start(
    cycle: World, first_night: Path, tmp_path: Path
) -> None:
    world = second_night(cycle, tmp_path)
    shares = {"refit_epoch_share": 0.5, "refit_learning_rate_share": 0.5}
    requested = Hyperparameters.from_dict({**NIGHTLY, **shares})
    fit(world, tmp_path / "warm", first_night)
    base = SavedWeights.load(tmp_path / "warm").hyperparameters
    cold_rate = 2 * base.learning_rate
    assert base.epochs == 4
    inputs = world.training_set, world.items, "train", requested, tmp_path / "warm", FeedbackPolicy()
    _, refit, _ = start_refit(*inputs)
    assert refit.epochs == 6
    assert refit.learning_rate == pytest.approx(0.5 * cold_rate)


def test_weights_that_do_not_say_what_they_were_trained_on_cannot_be_refitted(tmp_path: Path) -> None:
    rows = pa.Table.from_pylist([history_row("u", "train", ["i0"])], schema=TRAINING_SET)
    with pytest.raises(StepError, match=r"has no learned\.parquet"):
        count_new(tmp_path, rows)


def test_weights_that_have_seen_held_out_interactions_are_not_used(
    cycle: World, first_night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Older data, as in a backfill: the first training has seen all held-out interactions."""
    rows = cycle_rows(cycle.item_ids, users=160, length=8)
    world = write_world(tmp_path, rows, items_table(cycle.item_ids))
    assert count_leaked_users(first_night, read_held_out(world.training_set)) == 160
    assert count_leaked_users(first_night, read_held_out(cycle.training_set)) == 0
    tracker = fit(world, tmp_path / "out", first_night, epochs=1)
    assert (
        "cold start: the earlier weights have seen held-out interactions of 160 users"
        in capsys.readouterr().out
    )
    assert tracker.params["start"] == "cold"
    assert tracker.metrics[0][1][NDCG] < 0.4


def test_leaked_compares_timestamps_to_the_microsecond(tmp_path: Path) -> None:
    pq.write_table(pa.table({"user_id": ["a", "b", "c"], "until": [9, 10, 11]}), tmp_path / TRAINED_UNTIL)
    moments = pa.array([10, 20, 10, 10], pa.timestamp("us", tz="UTC"))
    held_out = pa.table({"user_id": ["a", "a", "b", "new"], "cutoff": moments})
    assert count_leaked_users(tmp_path, held_out) == 1  # user b: the interaction at the cutoff is held out


def test_learned_includes_what_the_earlier_weights_have_seen(tmp_path: Path) -> None:
    """Also for a user who has no interactions any more."""
    earlier, later = tmp_path / "earlier", tmp_path / "later"
    for directory, start, users in ((earlier, None, {"a": 3, "b": 3}), (later, earlier, {"b": 2, "c": 1})):
        directory.mkdir()
        rows = [history_row(user, "train", ["i0"] * length) for user, length in users.items()]
        write_trained_until(pa.Table.from_pylist(rows, schema=TRAINING_SET), start, directory)
    learned = pq.read_table(later / TRAINED_UNTIL).to_pylist()
    assert {row["user_id"]: row["until"] for row in learned} == {
        "a": 180 * SECOND,
        "b": 180 * SECOND,
        "c": 60 * SECOND,
    }


def test_other_sizes_need_a_cold_start(
    cycle: World, first_night: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(cycle, first_night, units=8)[-1] is None
    out = capsys.readouterr().out
    assert "cold start: the live version's model differs in units" in out
    assert "warm start" not in out


def test_weights_of_another_loss_need_a_cold_start(
    cycle: World, first_night: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(cycle, first_night, seen_negatives="on")[-1] is None
    assert "cold start: the live version's model differs in seen_negatives" in capsys.readouterr().out


def test_weights_of_a_version_that_always_had_seen_negatives_need_a_cold_start_without_them(
    cycle: World, first_night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier = shutil.copytree(first_night, tmp_path / "earlier")
    about = json.loads((earlier / ABOUT).read_text())
    del about["hyperparameters"]["seen_negatives"]
    (earlier / ABOUT).write_text(json.dumps(about))
    assert start(cycle, earlier)[-1] is None
    assert "cold start: the live version's model differs in seen_negatives" in capsys.readouterr().out
    assert start(cycle, earlier, seen_negatives="on")[-1] is not None


def test_new_content_columns_need_a_cold_start(
    cycle: World, first_night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items = items_table(cycle.item_ids, picture=[[float(place), 1.0] for place in range(60)])
    world = write_world(tmp_path, cycle_rows(cycle.item_ids, users=16, length=12), items)
    data, _, base = start(world, first_night)
    assert base is None
    assert "cold start: the live version's model differs in the item content" in capsys.readouterr().out
    assert data.content.columns == ["picture"]


def test_the_base_model_of_the_live_versions_run_is_fetched(
    first_night: Path, tracking_uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri)
    experiment = client.create_experiment("x", artifact_location=(tmp_path / "artifacts").as_uri())
    runs = [Tracker(client, client.create_run(experiment).info.run_id) for _ in range(2)]
    releases = tmp_path / "releases"
    assert fetch_base(str(releases), runs[1], tmp_path) is None
    publish(releases, runs[0].run_id, fingerprint())
    assert fetch_base(str(releases), runs[1], tmp_path) is None
    assert "the run of the live version 3 has no base model" in capsys.readouterr().out

    log_base_model(first_night, runs[0])
    (tmp_path / "fetched").mkdir()
    base = fetch_base(str(releases), runs[1], tmp_path / "fetched")
    assert base is not None
    assert SavedWeights.load(base).vocabulary == SavedWeights.load(first_night).vocabulary
    assert (base / TRAINED_UNTIL).read_bytes() == (first_night / TRAINED_UNTIL).read_bytes()

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
