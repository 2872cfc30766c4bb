"""Takes a registered version live, and leaves the one before live when anything fails."""

import tempfile
from pathlib import Path

from components.errors import StepError
from components.progress import report
from components.push_release.publication import prune, publish, switch, unpublish, verify
from components.push_release.smoke_test import smoke_test
from components.register_release.registry import APPROVED, FAILED, LIVE, REJECTED, Registry
from feature_repo.addresses import FeatureStoreAddresses
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
    """Approve, publish, smoke-test and switch to `version`. Each step can be repeated.

    Users' interests under it go online before it is live, so that its first answers replay no history.

    Raises:
        StepError: no such version, it was rejected, its files differ from its manifest, or it fails its smoke
            test; the version that was live still is.
    """
    registry, store = Registry(tracking_uri, model_name), ReleaseStore(releases)
    review = registry.version(version).review
    if review == REJECTED:
        raise StepError(f"version {version} was rejected: `penchant review approve {version}` overrules that")
    registry.decide(version, APPROVED, approved_by)
    published = version in store.versions()
    if not published:
        with tempfile.TemporaryDirectory() as folder:
            release = registry.download(version, Path(folder))
            verify(release)
            publish(release, store, version)
    try:
        smoke_test(store, version, model_server)
    except Exception as error:
        # A version that was live before stays published: it is someone's way back.
        if not published:
            unpublish(store, version)
        registry.decide(version, FAILED, "smoke test", str(error))
        raise
    _write_interests(version, releases, feature_store)
    before = switch(store, version)
    registry.point(LIVE, version)
    pruned = prune(store)
    report(f"version {version} is live" + (f", {before} before it" if before not in (None, version) else ""))
    if pruned:
        report(f"unpublished {', '.join(map(str, pruned))}; the registry keeps them")


def _write_interests(version: int, releases: str, feature_store: FeatureStoreAddresses) -> None:
    """Without them answers are the same, only slower: a release, or the way back, must not fail for it."""
    from components.materialize_features.materialization import materialize_interests

    try:
        materialize_interests(version, releases, feature_store)
    except Exception as error:  # what Feast and its stores raise shares no base class
        report(f"interests not written ({error}): answers replay histories until the next run")
