"""Searches hyperparameters on the validation split within a time budget, with Optuna.

A study stays in a database, and a later search of the same data and options continues it. Each search is a
run in MLflow, and its trials are child runs. A trial whose epochs lie below the median of the earlier ones is
pruned.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import optuna
from optuna.trial import TrialState

from components.errors import StepError
from components.mlflow_client import connect, mlflow_errors
from components.progress import report
from components.train_interest_model.data.sequences import read_rows
from components.train_interest_model.experiment_tracking import Tracker, start_run, tracked_run
from components.train_interest_model.hyperparameters import Hyperparameters
from components.train_interest_model.loop.trainer import NDCG
from components.train_interest_model.training import train
from components.train_interest_model.training_start import start_fit
from feature_repo.feedback import FeedbackPolicy
from pipelines.benchmark.search_space import start_values, suggest

if TYPE_CHECKING:
    from optuna.trial import Trial

# The trials and the epoch after which the first trial can be pruned.
_FIRST_TRIALS, _FIRST_EPOCH = 4, 2


@dataclass(frozen=True)
class Tuning:
    """How long to search, and where the study and its runs are kept."""

    minutes: float
    study: str  # a URL of SQLAlchemy
    tracking_uri: str
    experiment: str


@dataclass(frozen=True)
class Data:
    """What every trial trains on."""

    training_set: Path
    items: Path
    feedback: FeedbackPolicy


@dataclass(frozen=True)
class FinishedTrial:
    """A trial of a study; `value` is the NDCG@10 of its best epoch on the validation split."""

    number: int
    state: str  # complete, pruned or fail
    value: float | None
    epochs: int
    hyperparameters: dict[str, Any]  # those that the search varies


@dataclass(frozen=True)
class Study:
    """The ended trials of a study, and the values that the data's statistics give."""

    defaults: dict[str, Any]
    trials: list[FinishedTrial]


def tune(data: Data, hyperparameters: dict[str, Any], tuning: Tuning, folder: Path) -> Study:
    """Search until the time is over, beginning with the default values; return all of the study.

    Args:
        hyperparameters: given values, the seed among them; the search leaves them as they are.
        folder: for the outputs of one trial at a time.

    Raises:
        StepError: there is nothing to choose by, no trial was completed, or MLflow can't be used.
    """
    if not len(read_rows(data.training_set, "validation")):
        raise StepError("there are no validation queries to choose by: take more data, or another --protocol")
    deadline = time.monotonic() + 60 * tuning.minutes
    requested = Hyperparameters.from_dict(hyperparameters)
    _, start, _ = start_fit(data.training_set, data.items, "train", requested, None, data.feedback)
    defaults = start_values(start, hyperparameters)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with mlflow_errors(tuning.tracking_uri):
        study = _study(tuning, _name(data, start, hyperparameters), start.seed)
        tried = [trial.hyperparameters for trial in _finished_trials(study, "complete")]
        if defaults not in tried and not study.get_trials(states=[TrialState.WAITING]):
            study.enqueue_trial(defaults)
        tags = {"penchant.study": study.study_name}
        parent = start_run(tuning.tracking_uri, tuning.experiment, tags)
        search = _Search(data, start, hyperparameters, tuning, parent, deadline, folder)
        study.optimize(search, timeout=60 * tuning.minutes, catch=(StepError,))
        connect(tuning.tracking_uri).set_terminated(parent)
    if not _finished_trials(study, "complete"):
        raise StepError(
            f"no training was completed within {tuning.minutes:g} minutes: give --tune more minutes, or "
            "--set epochs=… fewer; the next search continues this one"
        )
    return Study(defaults, _finished_trials(study, "complete", "pruned", "fail"))


def _study(tuning: Tuning, name: str, seed: int) -> optuna.Study:
    study = optuna.create_study(
        storage=tuning.study,
        study_name=name,
        load_if_exists=True,
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(_FIRST_TRIALS, _FIRST_EPOCH),
    )
    # Not the same random numbers again when a study is continued.
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
    return study


def _name(data: Data, start: Hyperparameters, fixed: Mapping[str, Any]) -> str:
    """Return the name of the study: equal for equal data and options.

    Rows of other splits count for nothing: their times are those of the ingestion.
    """
    digest = hashlib.sha256(json.dumps([start.to_dict(), sorted(fixed), data.feedback.to_json()]).encode())
    digest.update(data.items.read_bytes())
    for split in ("train", "validation"):
        for batch in read_rows(data.training_set, split).combine_chunks().to_batches():
            digest.update(batch.serialize())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class _Search:
    """Trains with the hyperparameters of a trial."""

    data: Data
    start: Hyperparameters
    given: Mapping[str, Any]
    tuning: Tuning
    parent: str
    deadline: float
    folder: Path

    def __call__(self, trial: "Trial") -> float:
        searched = suggest(trial, self.start, self.given)
        trial.set_user_attr("hyperparameters", searched)
        report(f"trial {trial.number}: {_text(searched)}")
        uri, experiment = self.tuning.tracking_uri, self.tuning.experiment
        run_id, state = start_run(uri, experiment, {"mlflow.parentRunId": self.parent}), "FAILED"
        try:
            with tracked_run(uri, experiment, run_id, "train") as tracker:
                value = self._train(_Pruning(tracker.client, run_id, trial, self.deadline), searched)
            state = "FINISHED"
        except optuna.TrialPruned:
            state = "KILLED"
            raise
        except StepError as error:
            report(f"trial {trial.number} failed: {error}")
            raise
        finally:
            connect(uri).set_terminated(run_id, state)
            shutil.rmtree(self.folder, ignore_errors=True)
        return value

    def _train(self, tracker: Tracker, searched: dict[str, Any]) -> float:
        keras.utils.clear_session()
        data, values = self.data, {**self.given, **searched}
        metrics = train(
            data.training_set, data.items, "train", values, self.folder, None, tracker, data.feedback
        )
        return metrics[NDCG]


@dataclass(frozen=True)
class _Pruning(Tracker):
    """Passes the metrics of each epoch to Optuna, and ends a trial that is not worth its time.

    Raises:
        TrialPruned: from log_metrics, below the median of the earlier trials, or at the end of the time.
    """

    trial: "Trial"
    deadline: float

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        super().log_metrics(metrics, step)
        if NDCG not in metrics:
            return
        self.trial.report(metrics[NDCG], step)
        if time.monotonic() > self.deadline:
            self.trial.study.stop()
            report(f"trial {self.trial.number}: the time is over")
            raise optuna.TrialPruned
        if self.trial.should_prune():
            report(f"trial {self.trial.number}: pruned, below the median of the earlier ones")
            raise optuna.TrialPruned


def _finished_trials(study: optuna.Study, *states: str) -> list[FinishedTrial]:
    """Return the trials with these states; one whose process was killed has none of them."""
    return [
        FinishedTrial(
            trial.number,
            trial.state.name.lower(),
            max(trial.intermediate_values.values(), default=None),
            max(trial.intermediate_values, default=0),
            trial.user_attrs.get("hyperparameters", {}),
        )
        for trial in study.trials
        if trial.state.name.lower() in states
    ]


def _text(hyperparameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in hyperparameters.items())
