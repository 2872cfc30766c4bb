"""Makes a registered version live; when a step fails, the live version does not change."""

import tempfile
from pathlib import Path

from components.errors import StepError
from components.progress import report
from components.push_release.publication import is_intact, prune, publish, switch, unpublish, verify
from components.push_release.smoke_test import smoke_test
from components.register_release.model_registry import APPROVED, FAILED, LIVE, REJECTED, Registry
from components.register_release.review_history import Act
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
    review_history: str,
    reason: str = "",
    by_person: bool = False,
) -> None:
    """Publish, smoke-test and switch to `version`; can be repeated, also after a kill at any time.

    Writes the users' interests of this version to the online store before it is live, so that its first
    answers don't have to replay histories.

    Args:
        by_person: whether `approved_by` is a person, whose approval replaces a rejection and ends a pin.

    Raises:
        StepError: there is no such version, it was rejected, its files differ from its manifest, or it fails
            the smoke test.
    """
    registry = Registry(tracking_uri, model_name, review_history)
    if not by_person and _is_pinned(ReleaseStore(releases), version):
        return
    if registry.version(version).review == REJECTED and not by_person:
        raise StepError(
            f"version {version} was rejected: `penchant review approve {version}` overrules the rejection"
        )
    registry.decide(version, APPROVED, approved_by, reason)
    with tempfile.TemporaryDirectory() as folder:
        store = ReleaseStore(releases, Path(folder, "cache"))
        _publish_and_test(version, registry, store, model_server, Path(folder))
        _write_interests(version, releases, feature_store)
        if not by_person and _is_pinned(store, version):  # a rollback while the smoke test ran
            return
        previous = switch(store, version)
        registry.point(LIVE, version)
        registry.history.append(Act.PUSHED, version, approved_by, live=(previous, version))
        pruned = prune(store)
    replaced = f", it replaces version {previous}" if previous not in (None, version) else ""
    report(f"version {version} is live{replaced}")
    if pruned:
        report(f"unpublished the old versions {', '.join(map(str, pruned))}; they stay in the registry")


def _is_pinned(store: ReleaseStore, version: int) -> bool:
    """Return whether a rollback has pinned the live version; if so, report that `version` waits."""
    record = store.live_record()
    if pinned := bool(record.get("pinned")):
        report(
            f"version {version} is not pushed: version {record['version']} is pinned since a rollback; "
            f"`penchant review approve {version}` ends that"
        )
    return pinned


def _publish_and_test(
    version: int, registry: Registry, store: ReleaseStore, model_server: str, folder: Path
) -> None:
    """Publish a version unless it is published and intact, and test it."""
    was_published = is_intact(store, version)
    if not was_published:
        release = registry.download(version, folder)
        verify(release)
        publish(release, store, version)
    try:
        smoke_test(store, version, model_server)
    except Exception as error:
        # A version that was published before stays, and the live one does, even if it was damaged before.
        if not was_published and version != store.live():
            unpublish(store, version)
        registry.decide(version, FAILED, "smoke test", str(error))
        raise


def _write_interests(version: int, releases: str, feature_store: FeatureStoreAddresses) -> None:
    """Write the users' interests; only report a failure: without them answers are the same, but slower."""
    from components.materialize_features.materialization import materialize_interests

    try:
        materialize_interests(version, releases, feature_store)
    except Exception as error:  # the errors of Feast and its stores have no common base class
        report(f"interests not written ({error}): the recommender replays histories until the next run")
