"""Erases a user from all stores of a home, and writes the receipt."""

from pathlib import Path
from typing import Final

from components.erase_user import home_files, online_rows, receipt, warehouse_rows
from components.erase_user.parquet_rows import delete_rows
from components.erase_user.receipt import Receipt
from components.ingest_interactions.warehouse.source_list import list_sources
from feature_repo.store_addresses import without_password
from pipelines.local_run.run_lock import run_lock
from pipelines.privacy.stored_user import stored_id
from pipelines.settings import Settings
from serving.exposures.exposure_store import ExposureStore
from serving.release.published_versions import PublishedVersions
from serving.release.tainted_versions import taint
from serving.user_data.erasure_store import ErasureStore

RECEIPTS: Final = "receipts"


def erase_user(settings: Settings, user_id: str) -> tuple[Receipt, Path]:
    """Erase a user; a repeat erases what came back meanwhile, with a receipt of its own.

    The interaction log first, so that every recommender forgets the user within a second; then the stores
    that runs write, which no run may use meanwhile.

    Returns:
        The receipt and its file.

    Raises:
        HomeInUse: a run is in progress; the recommenders have forgotten the user, and the rest is left.
        ValueError, StepError, Unavailable: as of stored_id.
    """
    stored = stored_id(settings, user_id)
    store = ErasureStore(settings.interaction_log)
    try:
        interactions = store.erase(stored)
        erased = store.erased()
        folder = settings.home / RECEIPTS
        result = Receipt(0, erased.digest(stored), receipt.now())
        place = without_password(settings.interaction_log)
        result.add(place, "recorded interactions", interactions)
        result.add(place, "records of what was shown", _delete_exposures(settings, stored))
        with run_lock(settings.home):
            result.number = receipt.next_number(folder)
            learned = _erase_stores(
                settings, stored, warehouse_rows.erase(settings.warehouse, stored, erased), result
            )
            _erase_files(settings, stored, result)
            _taint(settings, learned, result)
            store.scrub()
            _list_remains(settings, result)
            result.completed_at = receipt.now()
            return result, receipt.write(folder, result)
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


def _delete_exposures(settings: Settings, user_id: str) -> int:
    exposures = ExposureStore(settings.interaction_log)
    try:
        return exposures.delete_user(user_id) + exposures.leave_out_followed(user_id)
    finally:
        exposures.close()


def _erase_stores(settings: Settings, user_id: str, rows: dict[str, int], result: Receipt) -> bool:
    """Erase the user from the features; returns whether any release may have learned from the user."""
    result.add(settings.warehouse, "interactions", rows["interactions"])
    result.add(settings.warehouse, "rows of attributes", rows["users"])
    features = delete_rows(settings.features, user_id)
    result.add(settings.features, "rows of features, of this snapshot and of earlier ones", features)
    place = without_password(settings.online_store)
    result.add(place, "values in the online store", online_rows.erase(settings.online_store, user_id))
    return bool(sum(rows.values()) + features)


def _text_folders(home: Path) -> list[Path]:
    """Return the folders of a home with logs, records and pages; the others are erased by their own means."""
    others = ("warehouse", "releases", "feast", RECEIPTS)
    return sorted(folder for folder in home.iterdir() if folder.is_dir() and folder.name not in others)


def _erase_files(settings: Settings, user_id: str, result: Receipt) -> None:
    home = settings.home
    runs, artifacts = home / "runs", home / "mlflow" / "artifacts"
    result.add(str(runs), "runs whose outputs of steps are deleted", home_files.delete_outputs(runs))
    starts = home_files.delete_training_starts(artifacts)
    result.add(str(artifacts), "starts of later trainings", starts)
    result.add(str(artifacts), "rows of tables", home_files.erase_tables(artifacts, user_id))
    texts = sum(home_files.erase_texts(folder, user_id) for folder in _text_folders(home))
    result.add(str(home), "logs, records and pages in which the id is replaced", texts)


def _taint(settings: Settings, learned: bool, result: Receipt) -> None:
    store = PublishedVersions(settings.releases)
    if learned and (versions := store.versions()):
        taint(store, versions, result.number)
        result.tainted_releases = versions
        result.keep(
            settings.releases,
            "weights and counts of these versions, without the id, learned from the person, too: the next "
            "run trains one that did not; a rollback to them needs --accept-tainted",
        )


def _list_remains(settings: Settings, result: Receipt) -> None:
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
    result.keep("backups, and log files outside the home", "penchant does not know them")
