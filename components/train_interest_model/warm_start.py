"""Where a nightly training starts from: what the live version's run trained, if no figure can leak by it.

The live version itself was refitted on all there was, held-out interactions too, so figures of a model that
starts from it would say nothing. What its run trained before that, on the training part alone, stands in
MLflow, and with it until when each user was learned: that tells whether anything held out now was among it.
"""

import json
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.errors import StepError
from components.progress import report
from components.train_interest_model.data.sequences import flatten
from components.train_interest_model.export.saved_weights import ABOUT, CONTENT, WEIGHTS
from components.train_interest_model.tracking import Tracker
from feature_repo.contract import MANIFEST, RANKING, fingerprint
from serving.release.release_store import ReleaseStore

FOLDER: Final = "base_model"
LEARNED: Final = "learned.parquet"


def write_learned(rows: pa.Table, earlier: Path | None, output: Path) -> None:
    """Beside the weights: user -> `until`, the last moment (µs) learned from.

    Args:
        rows: of the training set, that were learned from.
        earlier: the training that this one started from, and so what that had learned.
    """
    users = rows["user_id"].combine_chunks().take(pc.list_parent_indices(rows["timestamps"].combine_chunks()))
    parts = [pa.table({"user_id": users, "until": flatten(rows["timestamps"])})]
    if earlier:
        parts.append(pq.read_table(earlier / LEARNED))
    latest = pa.concat_tables(parts).group_by("user_id").aggregate([("until", "max")])
    pq.write_table(
        latest.select(["user_id", "until_max"]).rename_columns(["user_id", "until"]), output / LEARNED
    )


def keep(output: Path, tracker: Tracker) -> None:
    """What a later run starts from, with its run; of several workers the chief alone has it."""
    if not (output / LEARNED).exists():
        return
    for name in (WEIGHTS, CONTENT, ABOUT, LEARNED):
        tracker.log_artifact(output / name, FOLDER)


def fetch_base(releases: str, tracker: Tracker, folder: Path) -> Path | None:
    """The base model of the live version's run, copied into `folder`; None, and said why, where none fits.

    Raises:
        StepError: live.json names a release that can't be read.
    """
    store = ReleaseStore(releases)
    version = store.live()
    if version is None:
        return None
    run_id, contract = _made_by(store, version)
    if contract != fingerprint():
        report(f"no warm start: another contract built the live version {version}")
        return None
    if not _kept(tracker, run_id):
        report(f"no warm start: the run of the live version {version} kept no base model")
        return None
    return Path(tracker.client.download_artifacts(run_id, FOLDER, str(folder)))


def _made_by(store: ReleaseStore, version: int) -> tuple[str, str]:
    """Run and fingerprint of a release."""
    file = f"{store.path(RANKING, version)}/{MANIFEST}"
    try:
        with store.filesystem.open(file, "rb") as opened:
            manifest = json.load(opened)
        return manifest["run_id"], manifest["fingerprint"]
    except (OSError, KeyError, json.JSONDecodeError) as error:
        raise StepError(
            f"{file} of the live version can't be read ({error!r}): roll back to a sound one with "
            "`penchant review rollback`, or remove live.json to start anew"
        ) from error


def _kept(tracker: Tracker, run_id: str) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        return bool(tracker.client.list_artifacts(run_id, FOLDER))
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False


def read_held_out(training_set: Path) -> pa.Table:
    """user_id and cutoff of what is validated and tested on."""
    splits = [("split", "in", ["validation", "test"])]
    return pq.read_table(training_set, columns=["user_id", "cutoff"], filters=splits)


def leaked(base: Path, held_out: pa.Table) -> int:
    """Of how many users `base` learned an interaction at a cutoff of theirs or later: one held out now."""
    first = held_out.group_by("user_id").aggregate([("cutoff", "min")])
    both = first.join(pq.read_table(base / LEARNED), "user_id", join_type="inner")
    return int(pc.sum(pc.greater_equal(both["until"], both["cutoff_min"].cast(pa.int64()))).as_py() or 0)
