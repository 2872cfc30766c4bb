"""Rolls back the live release: changes one small file, and needs neither MLflow nor Kubeflow nor a lock."""

from typing import TYPE_CHECKING

from components.push_release.live_switch import Switch, switch
from pipelines.settings import Settings
from serving.release.published_versions import PublishedVersions
from serving.release.tainted_versions import tainted_versions

if TYPE_CHECKING:
    from components.register_release.review_history import ReviewHistory


def roll_back(
    settings: Settings, by: str, reason: str, to: int | None = None, accept_tainted: bool = False
) -> Switch:
    """Make a published version live, and pin it, so that no scheduled run replaces it.

    Args:
        to: None for the version that was live before the current one.
        accept_tainted: whether the version may have learned from a user who was erased since.

    Raises:
        LookupError: there is no such version, or it is not published; the message lists those that are. Or it
            is tainted.
    """
    store = PublishedVersions(settings.releases)
    published, version = store.versions(), store.rollback_target() if to is None else to
    if version is None or (to is None and store.live() is None):
        raise LookupError(
            f"nothing to roll back to: no version was live before the current one in {settings.releases}"
        )
    if version not in published:
        raise LookupError(
            f"version {version} is not published; published: {', '.join(map(str, published))}. "
            f"`penchant review approve {version}` publishes a version of the registry"
        )
    if not accept_tainted and (receipts := tainted_versions(store).get(version)):
        raise LookupError(
            f"version {version} learned from users who were erased since (receipts "
            f"{', '.join(map(str, receipts))}): train another one with `penchant run`, or take it with "
            "--accept-tainted"
        )
    return switch(store, version, "rolled back", by, reason, pinned=True)


def write_history(settings: Settings, late: bool = False) -> None:
    """Store the switches that the review history lacks in it; does not need MLflow.

    Args:
        late: whether an earlier command should have done it.

    Raises:
        StepError: the database cannot be reached.
    """
    from components.push_release import switch_records

    history = open_history(settings)
    switch_records.write_history(PublishedVersions(settings.releases), history, late)


def open_history(settings: Settings) -> "ReviewHistory":
    """Open the review history of the settings; does not need MLflow."""
    from components.register_release.review_history import ReviewHistory

    settings.prepare_home()
    return ReviewHistory(settings.review_history, settings.model_name)
