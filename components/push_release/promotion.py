"""Makes a registered version live; when a step fails, the live version does not change."""

import tempfile
from pathlib import Path

from components.errors import StepError
from components.progress import report
from components.push_release.publication import prune, publish, switch, unpublish, verify
from components.push_release.smoke_test import smoke_test
from components.register_release.model_registry import APPROVED, FAILED, LIVE, REJECTED, Registry
from feature_repo.store_addresses import FeatureStoreAddresses
from serving.release.release_store import ReleaseStore


def push(
    version: int,
    approved_by: str,
    model_name: str,
    tracking_uri: str,
    releases: str,
    model_server: str,
    feature_store: FeatureStoreAddresses,
) -> None:
    """Publish, smoke-test and switch to `version`; can be repeated.

    Writes the users' interests of this version to the online store before it is live, so that its first
    answers don't have to replay histories.

    Raises:
        StepError: there is no such version, it was rejected, its files differ from its manifest, or it fails
            the smoke test.
    """
    registry, store = Registry(tracking_uri, model_name), ReleaseStore(releases)
    review = registry.version(version).review
    if review == REJECTED:
        raise StepError(
            f"version {version} was rejected: `penchant review approve {version}` overrules the rejection"
        )
    if review != APPROVED:
        registry.decide(version, APPROVED, approved_by)
    is_published = version in store.versions()
    if not is_published:
        with tempfile.TemporaryDirectory() as folder:
            release = registry.download(version, Path(folder))
            verify(release)
            publish(release, store, version)
    try:
        smoke_test(store, version, model_server)
    except Exception as error:
        # A version that was published before stays: it may be live, or the one to roll back to.
        if not is_published:
            unpublish(store, version)
        registry.decide(version, FAILED, "smoke test", str(error))
        raise
    _write_interests(version, releases, feature_store)
    previous = switch(store, version)
    registry.point(LIVE, version)
    pruned = prune(store)
    replaced = f", it replaces version {previous}" if previous not in (None, version) else ""
    report(f"version {version} is live{replaced}")
    if pruned:
        report(f"unpublished the old versions {', '.join(map(str, pruned))}; they stay in the registry")


def _write_interests(version: int, releases: str, feature_store: FeatureStoreAddresses) -> None:
    """Write the users' interests; only report a failure: without them answers are the same, but slower."""
    from components.materialize_features.materialization import materialize_interests

    try:
        materialize_interests(version, releases, feature_store)
    except Exception as error:  # the errors of Feast and its stores have no common base class
        report(f"interests not written ({error}): the recommender replays histories until the next run")
