"""Publishes a registered version that nobody has made live, so that an experiment can answer with it."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

from components.errors import StepError
from components.push_release.promotion import check_not_pruned, check_not_tainted, publish_and_test
from components.register_release.registered_version import REJECTED
from pipelines.local_run.run_lock import run_lock
from pipelines.review.decisions import open_registry
from pipelines.servers.running_servers import running_model_server
from pipelines.settings import Settings
from serving.release.release_store import ReleaseStore


def publish_candidate(settings: Settings, version: int) -> None:
    """Publish and smoke-test a version, under the lock of the home; the live version stays.

    A rollback chooses it only with --to. It is unpublished like others, once it is old and no experiment that
    runs names it.

    Raises:
        StepError: there is no such version, it was rejected, it learned from an erased user, its artifacts
            are gone or differ from their manifest, or it fails the smoke test.
        HomeInUse: another run uses the home.
    """
    registry = open_registry(settings)
    registered = registry.version(version)
    check_not_pruned(registered)
    if registered.review == REJECTED:
        raise StepError(f"version {version} was rejected: no user gets its answers")
    check_not_tainted(ReleaseStore(settings.releases), version)
    model_server = settings.model_server or running_model_server(settings) or ""
    with run_lock(settings.home), tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        store = ReleaseStore(settings.releases, Path(folder, "cache"))
        if not store.is_published(version):
            store.mark_candidate(version)
        publish_and_test(version, registry, store, model_server, Path(folder), stack)
