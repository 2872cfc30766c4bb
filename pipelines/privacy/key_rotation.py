"""Gives a home the next pseudonym key: of each stored pseudonym the pseudonym under the new key is stored."""

from pathlib import Path
from typing import Final

from components.erase_user import home_files, online_rows
from components.erase_user.parquet_rows import replace_ids
from components.errors import StepError
from components.ingest_interactions.warehouse.retraction import check_key
from components.rotate_key import evaluation_ids, warehouse_ids
from feature_repo.pseudonyms import read_pseudonyms
from pipelines.errors import HomeInUse
from pipelines.local_run.run_lock import run_lock
from pipelines.privacy.active_runs import check_no_run
from pipelines.servers.running_servers import running_model_server
from pipelines.settings import Settings
from serving.exposures import key_rotation
from serving.user_data.erasure_store import ErasureStore

_ERASED: Final = (
    "this home keeps erased users out by digests of their pseudonyms, and stores no pseudonym from which a "
    "new digest could be made: stop the recommenders, allow these users again (`penchant forget USER "
    "--allow`), rotate the key, and forget them again"
)


def rotate_key(settings: Settings, new_key_file: Path) -> int:
    """Re-key all stores of a home; returns the number of users. A repeat after an interruption ends it.

    The interaction log first, whose check of the key stops recommenders that start with the old one; the
    warehouse last: until its commit it has the old ids, by which a repeat knows what is left.

    Args:
        new_key_file: a chain of the keys of PENCHANT_PSEUDONYM_KEY_FILE and a new one, as of read_pseudonyms.

    Raises:
        ValueError: the home has no key, the file has not one key more, or the log has another key.
        StepError: erased users are kept out, or the warehouse has another key, as after a rotation.
        HomeInUse: a run is in progress here or on Kubeflow, or `penchant serve` runs here.
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
    check_no_run(settings)
    if server := running_model_server(settings):
        raise HomeInUse(
            f"`penchant serve` runs in this home (model server {server}) and would go on recording under the "
            "old key: stop it, then repeat this"
        )
    with run_lock(settings.home):
        check_key(settings.warehouse, old)
        erasures = ErasureStore(settings.interaction_log)
        try:
            if erasures.erased() or warehouse_ids.keeps_users_out(settings.warehouse):
                raise StepError(_ERASED)
            recorded = key_rotation.rekey(settings.interaction_log, old, new)
            erasures.scrub()
        finally:
            erasures.close()
        ids = {user_id: new.of_earlier(user_id) for user_id in warehouse_ids.stored_ids(settings.warehouse)}
        _rekey_derived(settings, ids)
        warehouse_ids.rekey(settings.warehouse, new)
    return max(recorded, len(ids))


def _rekey_derived(settings: Settings, ids: dict[str, str]) -> None:
    """Re-key features and evaluations; delete what the next run writes again."""
    artifacts = settings.home / "mlflow" / "artifacts"
    replace_ids(settings.features, lambda user_id: ids.get(user_id, user_id))
    evaluation_ids.rekey(artifacts, ids)
    home_files.delete_training_starts(artifacts)
    home_files.delete_outputs(settings.home / "runs")
    home_files.delete_review_pages(settings.home)
    online_rows.erase_all(settings.online_store, ids)
