"""Makes a registered version live; when a step fails, the live version does not change."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from components.errors import StepError
from components.interest_batches import Compute
from components.materialize_features.online_states import materialize_interests
from components.progress import report
from components.push_release.live_switch import switch
from components.push_release.publication import is_intact, prune, publish, unpublish, verify
from components.push_release.smoke_test import smoke_test
from components.push_release.switch_records import record_switches
from components.register_release.model_registry import Registry
from components.register_release.registered_version import APPROVED, FAILED, REJECTED, Version
from feature_repo.store_addresses import FeatureStoreAddresses
from serving.release.published_versions import PublishedVersions
from serving.release.release_store import ReleaseStore
from serving.release.tainted_versions import tainted_versions


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
    force: bool = False,
    last_seen: int = -1,
) -> None:
    """Publish, smoke-test and switch to `version`; can be repeated, also after a kill at any time.

    Writes the users' interests of this version to the online store before it is live, so that its first
    answers don't have to replay histories.

    Args:
        by_person: whether `approved_by` is a person, whose approval replaces a rejection and ends a pin.
        force: approve against the verdict of the release gate.
        last_seen: the sequence of the last record of the review history that the reviewer knew; -1 if what
            others have decided since does not matter.

    Raises:
        StepError: there is no such version, it was rejected, it learned from an erased user, the gate found
            it worse, its files differ from its manifest, it fails the smoke test, or another version went
            live meanwhile.
    """
    registry = Registry(tracking_uri, model_name, review_history)
    with tempfile.TemporaryDirectory() as folder:
        store = ReleaseStore(releases, Path(folder, "cache"))
        live = store.live_record()
        if not by_person and _is_pinned(live, version):
            return
        check_not_tainted(store, version)
        figures = check_allowed(registry.version(version), by_person, force)
        seen = None if last_seen < 0 else last_seen
        registry.decide(version, APPROVED, approved_by, reason, seen, figures)
        with ExitStack() as stack:
            compute = publish_and_test(version, registry, store, model_server, Path(folder), stack)
            _write_interests(version, compute, feature_store)
        if _has_changed(live, store, version, registry, by_person):
            return
        switched = switch(store, version, "pushed", approved_by, reason)
        record_switches(store, registry)
        pruned = prune(store)
    replaced = f", it replaces version {switched.before}" if switched.before not in (None, version) else ""
    report(f"version {version} is live{replaced}")
    if pruned:
        report(f"unpublished the old versions {', '.join(map(str, pruned))}; they stay in the registry")


def check_allowed(version: Version, by_person: bool, force: bool) -> dict[str, Any]:
    """Return what the history keeps of a forced approval.

    Raises:
        StepError: the version was rejected, or the gate found it worse, and nobody overrules that.
    """
    number, tags = version.number, version.tags
    check_not_pruned(version)
    if version.review == REJECTED and not by_person:
        raise StepError(
            f"version {number} was rejected: `penchant review approve {number}` overrules the rejection"
        )
    if tags.get("gate_decision") != "worse":
        return {}
    if not force:
        raise StepError(
            f"the release gate found version {number} worse: {tags.get('reason')}. "
            f"`penchant review approve {number} --force --reason …` overrules it"
        )
    return {"forced": True}


def check_not_tainted(store: PublishedVersions, version: int) -> None:
    """Raise StepError if a version learned from a user who was erased since."""
    if receipts := tainted_versions(store).get(version):
        raise StepError(
            f"version {version} learned from users who were erased since (receipts "
            f"{', '.join(map(str, receipts))}): train another one with `penchant run`; "
            f"`penchant review rollback --to {version} --accept-tainted` takes it if it is published"
        )


def check_not_pruned(version: Version) -> None:
    """Raise StepError if the artifacts of a version are deleted."""
    if at := version.tags.get("pruned_at"):
        raise StepError(f"the artifacts of version {version.number} were pruned at {at}: train again")


def _is_pinned(live: dict[str, Any], version: int) -> bool:
    """Return whether a rollback has pinned the live version; if so, report that `version` waits."""
    if pinned := bool(live.get("pinned")):
        report(
            f"version {version} is not pushed: version {live['version']} is pinned since a rollback; "
            f"`penchant review approve {version}` ends that"
        )
    return pinned


def _has_changed(
    before: dict[str, Any], store: ReleaseStore, version: int, registry: Registry, by_person: bool
) -> bool:
    """Return whether another command has switched meanwhile; then `version` waits for a review again.

    Raises:
        StepError: instead of True, if a person has approved the version, who must know.
    """
    now = store.live_record()
    if now.get("switch") == before.get("switch") and now.get("version") == before.get("version"):
        return False
    switched = now.get("switch", {})
    message = (
        f"version {version} is not live: {switched.get('by')} has made version {now.get('version')} live "
        f"meanwhile ({switched.get('what')}); `penchant review approve {version}` pushes it after all"
    )
    registry.wait(version, message)
    if by_person:
        raise StepError(message)
    report(message)
    return True


def publish_and_test(
    version: int,
    registry: Registry,
    store: ReleaseStore,
    model_server: str,
    folder: Path,
    stack: ExitStack,
) -> Compute:
    """Publish a version unless it is published and intact, and test it; the server stops with `stack`.

    Raises:
        StepError: its files differ from its manifest, or it fails the smoke test; then it is unpublished.
    """
    was_published = is_intact(store, version)
    if not was_published:
        release = registry.download(version, folder)
        verify(release)
        publish(release, store, version)
    try:
        return stack.enter_context(smoke_test(store, version, model_server))
    except Exception as error:
        # A version that was published before stays, and the live one does, even if it was damaged before.
        if not was_published and version != store.live():
            unpublish(store, version)
        registry.decide(version, FAILED, "smoke test", str(error))
        raise


def _write_interests(version: int, compute: Compute, feature_store: FeatureStoreAddresses) -> None:
    """Write the users' interests; only report a failure: without them answers are the same, but slower."""
    try:
        materialize_interests(version, compute, feature_store)
    except Exception as error:  # the errors of the stores and the model server have no common base class
        report(f"interests not written ({error}): the recommender replays histories until the next run")
