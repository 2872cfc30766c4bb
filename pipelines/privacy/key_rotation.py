"""Gives a home the next pseudonym key: each stored pseudonym is replaced by its own pseudonym."""

import json
from pathlib import Path
from typing import Final

from components.erase_user import home_files, online_rows
from components.erase_user.parquet_rows import replace_ids, stored_ids
from components.errors import StepError
from components.ingest_interactions.warehouse.retraction import check_key
from components.rotate_key import evaluation_ids, warehouse_ids
from feature_repo.atomic_files import write_text_atomically
from feature_repo.pseudonyms import Pseudonyms, read_pseudonyms
from pipelines.errors import HomeInUse
from pipelines.local_run.run_lock import run_lock
from pipelines.privacy.active_runs import check_no_run
from pipelines.servers.running_servers import running_model_server
from pipelines.settings import Settings
from serving.experiments.experiment_file import ExperimentFile
from serving.exposures import key_rotation
from serving.release.published_versions import PublishedVersions
from serving.user_data.erasure_store import ErasureStore

_ERASED: Final = (
    "this home keeps erased users out by digests of their pseudonyms, and stores no pseudonym from which a "
    "new digest could be made: stop the recommenders, allow these users again (`penchant forget USER "
    "--allow`), rotate the key, and forget them again"
)


# The old ids while a rotation is in progress.
_OLD_IDS: Final = "key_rotation.json"


def rotate_key(settings: Settings, new_key_file: Path) -> int:
    """Re-key all stores of a home; return the number of users.

    After an interruption a repeat completes the rotation. The order makes this safe:

    1. All ids are written to a file, from which a repeat knows what is left.
    2. The interaction log is re-keyed. From then on it refuses recommenders that start with the old key.
    3. Features, evaluations and the online store follow.
    4. The warehouse is the last. Until its commit it refuses the new key, so no run starts too early.

    Args:
        new_key_file: the keys of PENCHANT_PSEUDONYM_KEY_FILE and a new one; see read_pseudonyms.

    Raises:
        ValueError: the home has no key, or the file does not have exactly one key more, or the interaction
            log was made with another key or without one.
        StepError: the home keeps erased users out; or the warehouse has another key, as after a finished
            rotation; or ids were written after an interruption.
        HomeInUse: a run is in progress, here or on Kubeflow, or an experiment, or `penchant serve`.
    """
    old, new = settings.pseudonyms, read_pseudonyms(new_key_file)
    if old is None:
        raise ValueError("PENCHANT_PSEUDONYM_KEY_FILE is not set: expected the file with this home's key")
    if new is None or not old.is_followed_by(new):
        raise ValueError(
            f"{new_key_file}: expected the line penchant-keys-1, the keys of {settings.pseudonym_key_file}, "
            "and a new key, one a line; `openssl rand -hex 32` prints one, and a key that is not one line is "
            f"written as `echo base64:$(base64 -w0 {settings.pseudonym_key_file})`"
        )
    _check_unused(settings)
    with run_lock(settings.home):
        erasures = ErasureStore(settings.interaction_log)
        try:
            if erasures.erased() or warehouse_ids.keeps_users_out(settings.warehouse):
                raise StepError(_ERASED)
            ids = _old_ids(settings, old, new)
            key_rotation.rekey(settings.interaction_log, old, new)
            erasures.scrub()
        finally:
            erasures.close()
        _rekey_derived(settings, {user_id: new.of_earlier(user_id) for user_id in ids})
        warehouse_ids.rekey(settings.warehouse, new)
        (settings.home / _OLD_IDS).unlink()
    return len(ids)


def _check_unused(settings: Settings) -> None:
    check_no_run(settings)
    if server := running_model_server(settings):
        raise HomeInUse(
            f"`penchant serve` runs in this home (model server {server}) and would go on recording under the "
            "old key: stop it, then repeat this"
        )
    experiment = ExperimentFile(PublishedVersions(settings.releases)).read()
    if experiment is not None and experiment.is_running:
        raise HomeInUse(
            f"experiment {experiment.name} is running and assigns users to arms by their pseudonyms, which "
            "a new key would change: end it with `penchant experiment stop`, then repeat this"
        )


def _old_ids(settings: Settings, old: Pseudonyms, new: Pseudonyms) -> set[str]:
    """Return the ids of all stores under the old key, as they were before the rotation began.

    Users whose rows were withdrawn from the warehouse are in features and evaluations still.
    """
    file = settings.home / _OLD_IDS
    recorded = key_rotation.ids_to_rekey(settings.interaction_log, old, new)
    if recorded is None and file.exists():  # the rotation was interrupted after it had begun
        return set(json.loads(file.read_bytes()))
    check_key(settings.warehouse, old)
    ids = (recorded or set()) | warehouse_ids.stored_ids(settings.warehouse)
    ids |= stored_ids(settings.features) | evaluation_ids.all_ids(_artifacts(settings))
    write_text_atomically(file, json.dumps(sorted(ids)))
    return ids


def _rekey_derived(settings: Settings, ids: dict[str, str]) -> None:
    """Re-key features and evaluations; delete what the next run writes again."""
    artifacts, all_ids = _artifacts(settings), ids | {new: new for new in ids.values()}
    replace_ids(settings.features, all_ids)
    evaluation_ids.rekey(artifacts, all_ids)
    home_files.delete_training_starts(artifacts)
    home_files.delete_outputs(settings.home / "runs")
    home_files.delete_review_pages(settings.home)
    online_rows.erase_all(settings.online_store, ids)


def _artifacts(settings: Settings) -> Path:
    return settings.home / "mlflow" / "artifacts"
