"""A search of hyperparameters: its first trial, its pruning, its end, and how it is continued."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from components.errors import StepError
from components.mlflow_client import connect
from components.train_interest_model.hyperparameters import Hyperparameters
from components.train_interest_model.loop.trainer import NDCG
from feature_repo.feedback import FeedbackPolicy
from feature_repo.store_addresses import sqlite_url
from pipelines.benchmark import tuning
from pipelines.benchmark.search_space import start_values, suggest
from pipelines.benchmark.tuning import Data, FinishedTrial, Tuning, tune
from tests.components.train_interest_model.conftest import history_row, items_table, write_world

START = replace(
    Hyperparameters(),
    embedding_size=16,
    units=32,
    batch_size=640,
    epochs=6,
    learning_rate=0.01,
    dropout=0.3,
    history_mean="projected",
    seen_negatives="off",
    item_start="random",
)

Train = Callable[[int, dict[str, Any], Callable[[float], None]], None]


@pytest.fixture
def search(
    tmp_path: Path, tracking_uri: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[FinishedTrial]]:
    """Search with trainings whose NDCG@10 of each epoch `train(number, hyperparameters, log)` logs.

    The time is over with the epoch after `trials` trainings.
    """
    data = Data(tmp_path / "training_set.parquet", tmp_path / "items.parquet", FeedbackPolicy())
    ingestions = count(10**15)
    kept = Tuning(60, sqlite_url(tmp_path / "studies.db"), tracking_uri, "tuning")
    monkeypatch.setattr(tuning, "start_fit", lambda *_: (None, START, None))

    def run(train: Train, trials: int, **given: Any) -> list[FinishedTrial]:
        trained: list[dict[str, Any]] = []

        def fake_train(*arguments: Any) -> dict[str, float]:
            hyperparameters, output, tracker = arguments[3], arguments[4], arguments[6]
            output.mkdir()
            trained.append(hyperparameters)
            values: list[float] = []

            def log(value: float) -> None:
                values.append(value)
                tracker.log_metrics({NDCG: value, "loss": 1.0}, len(values))

            train(len(trained) - 1, hyperparameters, log)
            return {NDCG: max(values)}

        # The rows of the split "all" have the time of the ingestion.
        of_all = history_row("u", "all", ["a", "b"]) | {"cutoff": next(ingestions)}
        held_out = history_row("u", "validation", ["a"], target="b")
        write_world(tmp_path, [history_row("u", "train", ["a"]), held_out, of_all], items_table(["a", "b"]))
        hour = 3600
        monkeypatch.setattr(tuning, "train", fake_train)
        clock = SimpleNamespace(monotonic=lambda: 2 * hour if len(trained) > trials else 0)
        monkeypatch.setattr(tuning, "time", clock)
        return tune(data, {"seed": 7, **given}, kept, tmp_path / "trial").trials

    return run


def by_size(_: int, hyperparameters: dict[str, Any], log: Callable[[float], None]) -> None:
    """The more units, the better."""
    for epoch in range(3):
        log(0.001 * hyperparameters["units"] + 0.01 * epoch)


def test_the_first_trial_has_the_values_of_the_start_and_given_ones_stay(
    search: Callable[..., list[FinishedTrial]], tmp_path: Path
) -> None:
    first, *others = search(by_size, trials=4, dropout=0.3)
    start = start_values(START, {"dropout"})
    assert first.hyperparameters == start
    assert (first.state, first.epochs) == ("complete", 3)
    assert first.value == pytest.approx(0.052)
    assert len(others) == 4
    assert all("dropout" not in trial.hyperparameters for trial in others)
    assert len({str(trial.hyperparameters) for trial in others}) == 4
    assert not (tmp_path / "trial").exists()


def test_a_trial_below_the_median_is_pruned_and_the_last_one_ends_with_the_time(
    search: Callable[..., list[FinishedTrial]],
) -> None:
    def train(number: int, _: dict[str, Any], log: Callable[[float], None]) -> None:
        for epoch in range(5):
            log(0.01 * epoch + (0.0 if number == 4 else 0.1))

    trials = search(train, trials=5)
    assert [trial.state for trial in trials] == ["complete"] * 4 + ["pruned", "pruned"]
    assert [trial.epochs for trial in trials] == [5, 5, 5, 5, 2, 1]


def test_a_search_is_continued_with_other_trials(
    search: Callable[..., list[FinishedTrial]], tracking_uri: str
) -> None:
    first = search(by_size, trials=2)
    both = search(by_size, trials=2)
    assert both[:3] == first
    assert len(both) == 6
    assert len({str(trial.hyperparameters) for trial in both}) == 6
    assert len(search(by_size, trials=1, dropout=0.2)) == 2  # another study
    client = connect(tracking_uri)
    runs = client.search_runs([client.get_experiment_by_name("tuning").experiment_id])
    parents = {run.info.run_id for run in runs if "mlflow.parentRunId" not in run.data.tags}
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert len(parents) == 3
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == parents
    assert len(children) == 8
    ended = sorted(run.info.status for run in children)
    assert ended == ["FINISHED"] * 5 + ["KILLED"] * 3
    assert all(run.data.metrics[NDCG] > 0 for run in children)


def test_a_trial_that_fails_is_told_and_ends_no_search(
    search: Callable[..., list[FinishedTrial]], capsys: pytest.CaptureFixture[str]
) -> None:
    def train(number: int, hyperparameters: dict[str, Any], log: Callable[[float], None]) -> None:
        if number == 1:
            raise StepError("the training diverged")
        by_size(number, hyperparameters, log)

    assert [trial.state for trial in search(train, trials=3)] == ["complete", "fail", "complete", "pruned"]
    assert "trial 1 failed: the training diverged" in capsys.readouterr().out


def test_a_search_without_a_complete_training_says_what_to_do(
    search: Callable[..., list[FinishedTrial]],
) -> None:
    with pytest.raises(StepError, match="within 60 minutes: give --tune more minutes, or --set epochs="):
        search(by_size, trials=0)


def test_suggested_values_stay_in_their_ranges_and_have_three_digits() -> None:
    import optuna

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    suggested = [suggest(study.ask(), START, {"units"}) for _ in range(50)]
    assert {values["embedding_size"] for values in suggested} == {8, 16, 32}
    assert {values["epochs"] for values in suggested} == {3, 6, 12}
    assert all("units" not in values for values in suggested)
    rates = [values["learning_rate"] for values in suggested]
    assert 0.0025 <= min(rates) < 0.01 < max(rates) <= 0.04
    assert all(rate == float(f"{rate:.3g}") for rate in rates)
    for values in suggested:
        Hyperparameters.from_dict(values)  # raises for one out of its range


def test_a_search_without_validation_queries_is_refused_at_once(tmp_path: Path, tracking_uri: str) -> None:
    world = write_world(tmp_path, [history_row("u", "train", ["a", "b"])], items_table(["a", "b"]))
    data = Data(world.training_set, world.items, FeedbackPolicy())
    kept = Tuning(60, sqlite_url(tmp_path / "studies.db"), tracking_uri, "tuning")
    with pytest.raises(StepError, match="no validation queries to choose by"):
        tune(data, {"seed": 7}, kept, tmp_path / "trial")


def test_the_defaults_are_tried_once_more_after_a_search_that_ended_before_they_were(
    search: Callable[..., list[FinishedTrial]],
) -> None:
    for _ in range(2):
        with pytest.raises(StepError):
            search(by_size, trials=0)
    states = [(trial.state, trial.hyperparameters["units"]) for trial in search(by_size, trials=2)]
    assert states[:3] == [("pruned", START.units)] * 2 + [("complete", START.units)]
