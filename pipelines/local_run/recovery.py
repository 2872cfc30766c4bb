"""Finishes or undoes what killed commands left in a home, before the next command works there."""

from components.push_release.recovery import recover
from components.register_release.model_registry import Registry
from components.register_release.registered_version import Version
from pipelines.errors import HomeInUse
from pipelines.local_run.run_lock import recovery_lock
from pipelines.settings import Settings
from serving.release.release_store import ReleaseStore


def recover_home(settings: Settings, registry: Registry, versions: list[Version] | None = None) -> list[str]:
    """Call `recover`; promotions are undone only if none can be in progress, here or on Kubeflow.

    Raises:
        StepError: the history or the registry cannot be reached.
    """
    store = ReleaseStore(settings.releases)
    try:
        with recovery_lock(settings.home):
            return recover(store, registry, not settings.kubeflow, versions)
    except HomeInUse:  # a training, a promotion or another recovery is in progress
        return recover(store, registry, False, versions)
