"""Tests a registered version as a push does, but publishes nothing."""

import tempfile
from pathlib import Path

from components.errors import StepError
from components.push_release.promotion import check_not_pruned
from components.push_release.publication import publish, verify
from components.push_release.smoke_test import smoke_test
from components.register_release.model_registry import Registry
from components.register_release.registered_version import Version
from serving.errors import ReleaseError
from serving.release.release_store import ReleaseStore


def check_candidate(version: Version, registry: Registry) -> None:
    """Download, verify and smoke-test a version in a folder of its own, with a model server of its own.

    Raises:
        StepError: its artifacts are gone or differ from their manifest, or it fails the smoke test.
    """
    check_not_pruned(version)
    with tempfile.TemporaryDirectory() as folder:
        release = registry.download(version.number, Path(folder))
        verify(release)
        store = ReleaseStore(f"{folder}/releases")
        publish(release, store, version.number)
        try:
            with smoke_test(store, version.number, model_server=""):
                return
        except ReleaseError as error:
            raise StepError(f"version {version.number} fails the smoke test: {error}") from error
