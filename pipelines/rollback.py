"""Rolls back the live release: changes one small file, and needs neither MLflow nor Kubeflow nor a lock."""

import os
from dataclasses import dataclass
from typing import Final

from components.push_release.publication import switch
from pipelines.settings import Settings
from serving.release.release_store import ReleaseStore

# The registry is told after the switch; an MLflow that is down must not keep the person waiting.
_MLFLOW_LIMITS: Final = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}


@dataclass(frozen=True)
class Rollback:
    """The version that was live, and the one that is."""

    before: int
    after: int


def roll_back(settings: Settings, to: int | None = None) -> Rollback:
    """Make a published version live, and pin it, so that no scheduled run replaces it.

    Args:
        to: None for the version that was live before the current one.

    Raises:
        LookupError: there is no such version, or it is not published; the message lists those that are.
    """
    store = ReleaseStore(settings.releases)
    record = store.live_record()
    live, version = record.get("version"), record.get("previous") if to is None else to
    if live is None or version is None:
        raise LookupError(
            f"nothing to roll back to: no version was live before the current one in {settings.releases}"
        )
    published = store.versions()
    if version not in published:
        raise LookupError(
            f"version {version} is not published; published: {', '.join(map(str, published))}. "
            f"`penchant review approve {version}` publishes a version of the registry"
        )
    switch(store, version, pinned=True)
    return Rollback(live, version)


def tell_registry(settings: Settings, rollback: Rollback, by: str, reason: str) -> None:
    """Store a rollback in the model registry.

    Raises:
        MlflowException, StepError: the registry cannot be reached, or does not know the version.
    """
    os.environ.update({name: value for name, value in _MLFLOW_LIMITS.items() if name not in os.environ})
    from components.register_release.model_registry import LIVE, Registry
    from components.register_release.review_history import Act

    settings.prepare_home()
    registry = Registry(settings.tracking_uri, settings.model_name, settings.review_history)
    registry.history.append(
        Act.ROLLED_BACK, rollback.after, by, reason, live=(rollback.before, rollback.after)
    )
    registry.point(LIVE, rollback.after)
