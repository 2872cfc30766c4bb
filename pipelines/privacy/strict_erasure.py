"""Trains again after an erasure, so that the live version has not learned from the person."""

from collections.abc import Callable
from pathlib import Path

from components.erase_user import receipt
from components.erase_user.receipt import Receipt
from pipelines.errors import RunError
from pipelines.privacy.erasure import RECEIPTS
from pipelines.settings import Settings
from serving.release.published_versions import PublishedVersions
from serving.release.tainted_versions import tainted_versions

Train = Callable[[], Path]  # runs the training pipeline, and returns the run's folder


def train_without(settings: Settings, result: Receipt, train: Train) -> None:
    """Train, if the live version learned from an erased user, and write into the receipt what is live then.

    Args:
        result: of the erasure that has ended; it is signed and written again.

    Raises:
        RunError: the run failed, or its version did not go live; the receipt says so, too.
    """
    store, run = PublishedVersions(settings.releases), ""
    try:
        if store.live() in tainted_versions(store):
            run = train().name
    finally:
        live = store.live()
        learned = live in tainted_versions(store)
        result.retraining = {"run": run, "live": live, "learned": learned, "at": receipt.now()}
        receipt.write(settings.home / RECEIPTS, result)
    if learned:
        raise RunError(
            f"run {run} has trained a version without the person, and it did not go live: version {live}, "
            "which learned from erased users, still answers. `penchant review list` shows why; "
            "`penchant review approve VERSION` puts the new one live"
        )
