"""Takes a registered version live, and leaves the one before live when anything fails."""

import tempfile
from pathlib import Path

from components.errors import StepError
from components.progress import report
from components.push_release.publication import prune, publish, switch, unpublish, verify
from components.push_release.smoke_test import smoke_test
from components.register_release.registry import APPROVED, FAILED, LIVE, REJECTED, Registry
from serving.release import ReleaseStore


def push(
    version: int, approved_by: str, model_name: str, tracking_uri: str, releases: str, model_server: str
) -> None:
    """Approve, publish, smoke-test and switch to `version`. Each step can be repeated.

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
    before = switch(store, version)
    registry.point(LIVE, version)
    pruned = prune(store)
    report(f"version {version} is live" + (f", {before} before it" if before not in (None, version) else ""))
    if pruned:
        report(f"unpublished {', '.join(map(str, pruned))}; the registry keeps them")
