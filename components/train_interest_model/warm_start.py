"""Warm starts from the weights of the live version's training, unless these have seen held-out data.

The live version itself was refitted on all data, so metrics of a model that starts from it would be leaked.
Its run also trained a model on the training split only. MLflow keeps those weights, and for each user the
newest interaction in their training data, so that a later run can check for leaks.
"""

import json
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.errors import StepError
from components.progress import report
from components.row_preferences import flatten, list_offsets
from components.train_interest_model.experiment_tracking import Tracker
from components.train_interest_model.export.saved_weights import ABOUT, CONTENT, WEIGHTS
from feature_repo.contract import MANIFEST, RANKING, fingerprint
from serving.release.release_store import ReleaseStore

FOLDER: Final = "base_model"
TRAINED_UNTIL: Final = "learned.parquet"


def write_trained_until(rows: pa.Table, earlier: Path | None, output: Path) -> None:
    """Write each user's newest training timestamp, `until` (µs), and `interactions`, next to the weights.

    Args:
        rows: those that were learned: each user's disjoint windows, oldest interaction first.
        earlier: the output of the training that this one started from.
    """
    offsets, times = _times(rows)
    filled = np.flatnonzero(np.diff(offsets))
    newest = {"until": times[offsets[filled + 1] - 1], "interactions": np.diff(offsets)[filled]}
    users = pa.table({"user_id": rows["user_id"].take(filled), **newest}).group_by("user_id")
    trained = users.aggregate([("until", "max"), ("interactions", "sum")])
    parts = [trained.rename_columns({"until_max": "until", "interactions_sum": "interactions"})]
    if earlier:
        parts.append(pq.read_table(earlier / TRAINED_UNTIL))
    both = pa.concat_tables(parts, promote_options="default").group_by("user_id")
    latest = both.aggregate([("until", "max"), ("interactions", "max")])
    names = {"until_max": "until", "interactions_max": "interactions"}
    pq.write_table(latest.rename_columns(names), output / TRAINED_UNTIL)


def log_base_model(output: Path, tracker: Tracker) -> None:
    """Log the files that a later warm start reads to MLflow."""
    for name in (WEIGHTS, CONTENT, ABOUT, TRAINED_UNTIL):
        tracker.log_artifact(output / name, FOLDER)


def fetch_base(releases: str, tracker: Tracker, folder: Path) -> Path | None:
    """Download the base model of the live version's run into `folder`; report why if it returns None.

    Raises:
        StepError: live.json refers to a release that can't be read.
    """
    store = ReleaseStore(releases)
    version = store.live()
    if version is None:
        return None
    run_id, contract = _origin(store, version)
    if contract != fingerprint():
        report(f"cold start: the live version {version} was built with another contract")
        return None
    if not _has_base_model(tracker, run_id):
        report(f"cold start: the run of the live version {version} has no base model")
        return None
    return Path(tracker.client.download_artifacts(run_id, FOLDER, str(folder)))


def _origin(store: ReleaseStore, version: int) -> tuple[str, str]:
    """Return the MLflow run and the fingerprint of a release."""
    file = f"{store.path(RANKING, version)}/{MANIFEST}"
    try:
        with store.filesystem.open(file, "rb") as opened:
            manifest = json.load(opened)
        return manifest["run_id"], manifest["fingerprint"]
    except (OSError, KeyError, json.JSONDecodeError) as error:
        raise StepError(
            f"{file} of the live version can't be read ({error!r}): roll back to an intact one with "
            "`penchant review rollback`, or remove live.json"
        ) from error


def _has_base_model(tracker: Tracker, run_id: str) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        return bool(tracker.client.list_artifacts(run_id, FOLDER))
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False


def read_held_out(training_set: Path) -> pa.Table:
    """Read user_id and cutoff of the validation and test rows."""
    splits = [("split", "in", ["validation", "test"])]
    return pq.read_table(training_set, columns=["user_id", "cutoff"], filters=splits)


def count_leaked_users(base: Path, held_out: pa.Table) -> int:
    """Count the users for whom `base` was trained on an interaction at their first cutoff or later."""
    first = held_out.group_by("user_id").aggregate([("cutoff", "min")])
    both = first.join(pq.read_table(base / TRAINED_UNTIL), "user_id", join_type="inner")
    return int(pc.sum(pc.greater_equal(both["until"], both["cutoff_min"].cast(pa.int64()))).as_py() or 0)


def count_new(base: Path, rows: pa.Table) -> NDArray[np.int64]:
    """Return [rows] how many interactions of each training row `base` was not trained on.

    Of each user's interactions up to the newest that `base` knows, as many are known as it was trained on:
    older ones that were imported later are new, and counted as the oldest. Weights of an earlier version do
    not say how many those were.

    Args:
        rows: sorted by user and cutoff.

    Raises:
        StepError: `base` does not say what it was trained on.
    """
    if not (base / TRAINED_UNTIL).exists():
        raise StepError(
            f"base model {base} has no {TRAINED_UNTIL}: use the output directory of a training on the split "
            "'train'; a refit has none"
        )
    trained = pq.read_table(base / TRAINED_UNTIL)
    if "interactions" not in trained.column_names:
        trained = trained.append_column("interactions", pa.array([np.iinfo(np.int64).max] * len(trained)))
    owners = pa.table({"user_id": rows["user_id"], "row": np.arange(len(rows))})
    of_rows = owners.join(trained, "user_id").sort_by("row")
    until = pc.fill_null(of_rows["until"], np.iinfo(np.int64).min).to_numpy()
    known = pc.fill_null(of_rows["interactions"], 0).to_numpy()
    offsets, times = _times(rows)
    is_old = times <= np.repeat(until, np.diff(offsets))
    before = np.concatenate([[0], np.cumsum(is_old)])[offsets]
    old = np.diff(before)
    users = rows["user_id"].to_numpy()
    first = np.flatnonzero(np.append(True, users[1:] != users[:-1])[: len(users)])
    counts = np.diff(np.append(first, len(users)))
    of_user = np.repeat(np.add.reduceat(old, first), counts) if len(users) else old
    earlier = before[:-1] - np.repeat(before[first], counts)
    imported = np.clip(of_user - known - earlier, 0, old)
    new: NDArray[np.int64] = np.diff(offsets) - old + imported
    return new


def _times(rows: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return offsets [rows + 1], and the time (µs) of each interaction."""
    times = flatten(rows["timestamps"]).to_numpy().astype(np.int64)
    return list_offsets(rows["timestamps"]), times
