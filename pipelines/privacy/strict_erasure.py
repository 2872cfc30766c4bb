"""Trains again after an erasure, so that no version that answers has learned from the person."""

from collections.abc import Callable
from pathlib import Path

from components.erase_user import receipt
from components.erase_user.receipt import Receipt
from pipelines.errors import RunError
from pipelines.privacy.erasure import RECEIPTS
from pipelines.settings import Settings
from serving.experiments.experiment_file import ExperimentFile
from serving.release.published_versions import PublishedVersions
from serving.release.tainted_versions import tainted_versions

Train = Callable[[], Path]  # runs the training pipeline, and returns the run's folder


def train_without(settings: Settings, result: Receipt, train: Train) -> None:
    """Train, if the live version learned from an erased user, and write into the receipt what answers then.

    Args:
        result: of the erasure that has ended; it is signed and written again.

    Raises:
        RunError: the run failed, its version did not go live, or the running experiment answers with a
            version that learned; the receipt says so, too.
    """
    store, run = PublishedVersions(settings.releases), ""
    try:
        if store.live() in tainted_versions(store):
            run = train().name
    finally:
        live, experiment = store.live(), ExperimentFile(store).read()
        tried = experiment.releases if experiment and experiment.is_running else set()
        learned = sorted(version for version in tainted_versions(store) if version in {live, *tried})
        result.retraining = {
            "run": run,
            "live": live,
            "learned": bool(learned),
            "versions": learned,
            "at": receipt.now(),
        }
        receipt.write(settings.home / RECEIPTS, result)
    if live in learned:
        raise RunError(
            f"run {run} has trained a version without the person, and it did not go live: version {live}, "
            "which learned from erased users, still answers. `penchant review list` shows why; "
            "`penchant review approve VERSION` puts the new one live"
        )
    if experiment and learned:
        raise RunError(
            f"the experiment {experiment.name} goes on with versions that learned from erased users "
            f"({', '.join(map(str, learned))}): `penchant experiment stop` ends it"
        )
