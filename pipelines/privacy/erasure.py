"""Erases a user from all stores of a home, and writes the receipt."""

from pathlib import Path
from typing import Final

from components.erase_user import evaluations, home_files, online_rows, receipt, warehouse_rows
from components.erase_user.parquet_rows import count_rows, delete_rows
from components.erase_user.receipt import Receipt
from components.ingest_interactions.warehouse.source_list import list_sources
from components.register_release.review_history import ReviewHistory
from components.train_interest_model.workers.placement import delete_left
from feature_repo.erased_users import ErasedUsers
from feature_repo.store_addresses import without_password
from pipelines.local_run.run_lock import run_lock
from pipelines.privacy.active_runs import check_no_run
from pipelines.privacy.stored_user import stored_id
from pipelines.settings import Settings
from serving.configuration.encrypted_home import encrypted_home
from serving.exposures.exposure_store import ExposureStore
from serving.release.published_versions import PublishedVersions
from serving.release.tainted_versions import taint
from serving.user_data.erasure_store import ErasureStore
from serving.user_data.preference_store import PreferenceStore

RECEIPTS: Final = "receipts"


def erase_user(settings: Settings, user_id: str) -> tuple[Receipt, Path]:
    """Erase a user; a repeat after an interruption ends it, and its receipt has what both have removed.

    The interaction log first, so that every recommender forgets the user within a second; then the stores
    that runs write, which no run may use meanwhile.

    Returns:
        The receipt and its file.

    Raises:
        HomeInUse: a run is in progress here or on Kubeflow; the recommenders have forgotten the user, and the
            rest is left.
        ValueError, StepError, Unavailable: as of stored_id.
    """
    stored = stored_id(settings, user_id)
    store = ErasureStore(settings.interaction_log)
    try:
        preferences = _erase_preferences(settings, stored)
        interactions = store.erase(stored)
        erased = store.erased()
        removals = _Removals(settings.home / RECEIPTS, erased.digest(stored))
        place = without_password(settings.interaction_log)
        removals.add(place, "recorded interactions", interactions)
        removals.add(place, "preferences", preferences)
        exposures = ExposureStore(settings.interaction_log)
        try:
            removals.add(place, "records of what was shown", exposures.delete_user(stored))
            check_no_run(settings)
            with run_lock(settings.home):
                removals.number()
                _erase_stores(settings, stored, erased, removals)
                _erase_files(settings, stored, removals)
                # It reads all kept requests, which may take long.
                followed = exposures.leave_out_followed(stored)
                removals.add(place, "requests of others that name the user", followed)
                store.scrub()
                return _finish(settings, removals)
        finally:
            exposures.close()
    finally:
        store.close()


def allow_user(settings: Settings, user_id: str) -> bool:
    """Let a user's interactions be recorded and ingested again; returns whether the user was erased.

    Raises:
        HomeInUse: a run is in progress.
        ValueError, StepError, Unavailable: as of stored_id.
    """
    stored = stored_id(settings, user_id)
    store = ErasureStore(settings.interaction_log)
    try:
        with run_lock(settings.home):
            was_erased = store.allow(stored)
            warehouse_rows.allow(settings.warehouse, store.erased())
        return was_erased
    finally:
        store.close()


def _erase_preferences(settings: Settings, user_id: str) -> int:
    store = PreferenceStore(settings.interaction_log)
    try:
        return store.erase(user_id)
    finally:
        store.close()


class _Removals:
    """The receipt in the making, which is kept after each removal."""

    def __init__(self, folder: Path, person: str) -> None:
        self.folder, self.receipt = folder, receipt.begin(folder, person)

    def number(self) -> None:
        """Give the receipt its number; with the lock of the home."""
        self.receipt.number = self.receipt.number or receipt.next_number(self.folder)

    def add(self, place: str, what: str, count: int) -> None:
        self.receipt.add(place, what, count)
        receipt.save_draft(self.folder, self.receipt)


def _erase_stores(settings: Settings, user_id: str, erased: ErasedUsers, removals: _Removals) -> None:
    """Erase the user from warehouse, features and online store; taint versions that learned from the user."""
    rows = warehouse_rows.erase(settings.warehouse, user_id, erased)
    # Before the features are deleted: a repeat must know, too, that releases have learned from the user.
    if sum(rows.values()) + count_rows(settings.features, user_id):
        _taint(settings, removals.receipt)
    removals.add(settings.warehouse, "interactions", rows["interactions"])
    removals.add(settings.warehouse, "rows of attributes", rows["users"])
    removals.add(
        settings.warehouse, "trainings on several pods, left unfinished", delete_left(settings.warehouse)
    )
    warehouse_rows.complete(settings.warehouse, erased.digest(user_id))  # the draft has the counts
    features = delete_rows(settings.features, user_id)
    removals.add(settings.features, "rows of features, of this snapshot and of earlier ones", features)
    place = without_password(settings.online_store)
    removals.add(place, "values in the online store", online_rows.erase(settings.online_store, user_id))


def _erase_files(settings: Settings, user_id: str, removals: _Removals) -> None:
    home = settings.home
    runs, artifacts = home / "runs", home / "mlflow" / "artifacts"
    removals.add(str(runs), "runs whose outputs of steps are deleted", home_files.delete_outputs(runs))
    copies = home_files.delete_copies(home)
    removals.add(str(home), "copies of data that killed runs and commands left", copies)
    starts = home_files.delete_training_starts(artifacts)
    removals.add(str(artifacts), "starts of later trainings", starts)
    removals.add(str(artifacts), "rows of evaluations", evaluations.erase_rows(artifacts, user_id))
    removals.add(
        str(artifacts), "dossiers with the user as an example", evaluations.erase_examples(artifacts, user_id)
    )
    removals.add(
        str(home / "review"), "pages that `penchant review` writes", home_files.delete_review_pages(home)
    )
    records = home_files.erase_records(runs, user_id) + home_files.erase_logs(runs, user_id)
    removals.add(str(runs), "logs and records in which the id is overwritten", records)


def _taint(settings: Settings, result: Receipt) -> None:
    """Mark all versions, published or registered, as tainted by the person; a repeat changes nothing."""
    store = PublishedVersions(settings.releases)
    history = ReviewHistory(settings.review_history, settings.model_name)
    versions = sorted({*store.versions(), *(record.version for record in history.records())})
    if versions:
        taint(store, versions, result.number)
    result.tainted_releases = versions


def _finish(settings: Settings, removals: _Removals) -> tuple[Receipt, Path]:
    result = removals.receipt
    _list_remains(settings, result)
    result.completed_at = receipt.now()
    return result, receipt.write(removals.folder, result)


def _list_remains(settings: Settings, result: Receipt) -> None:
    if result.tainted_releases:
        result.keep(
            settings.releases,
            "weights and counts of these versions, without the id, learned from the person, too: the next "
            "run trains one that did not; none of them goes live any more but by a rollback with "
            "--accept-tainted",
        )
    if settings.kubeflow:
        result.keep(
            "the artifact store of Kubeflow, and the logs of its pods",
            "outputs of the steps of earlier runs are not changed: delete these runs and their artifacts "
            "there. No run may have started meanwhile: the cluster does not know the lock of the home",
        )
    result.keep(
        without_password(settings.interaction_log),
        "a keyed digest of the id, so that nothing is recorded of it: `forget USER --allow` deletes it",
    )
    sources, _ = list_sources(settings.warehouse)
    for source in sorted({each.location for each in sources if each.table != "items" and each.location}):
        result.keep(source, "a source of the warehouse, which is not changed; the person's rows are kept out")
    if not settings.tracking_uri.startswith("sqlite"):
        result.keep(
            without_password(settings.tracking_uri),
            "artifacts of MLflow on a server are not changed: delete the artifacts base_model and the "
            "dossiers of earlier runs there",
        )
    else:
        result.keep(settings.tracking_uri, "models and metrics of registered versions, without the id")
    if settings.interaction_log.startswith("postgresql"):
        result.keep("PostgreSQL", "deleted rows until its next VACUUM, and its archived write-ahead log")
    encrypted = encrypted_home(settings.home)
    if encrypted.exists:
        result.keep(
            str(encrypted.ciphertext),
            "free blocks of its disk may have the encrypted bytes of deleted files, as copies of this folder "
            "may: whoever has the home's key can read them",
        )
    result.keep("backups, and log files outside the home", "penchant does not know them")
