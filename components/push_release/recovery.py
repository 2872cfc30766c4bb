"""Finishes or undoes what killed commands left, and says so in the review history."""

from datetime import UTC, datetime

from components.push_release.publication import unpublish
from components.push_release.switch_records import point_aliases, write_history
from components.register_release.model_registry import PAGE_SIZE, Registry
from components.register_release.registered_version import (
    APPROVED,
    FAILED,
    REJECTED,
    WAITING,
    Version,
    figures_of,
)
from components.register_release.review_history import Act, Record
from serving.release.release_store import ReleaseStore

# The tag `review` that belongs to the last decision about a version.
_REVIEW = {
    Act.APPROVED: APPROVED,
    Act.REJECTED: REJECTED,
    Act.SMOKE_TEST_FAILED: FAILED,
    Act.INTERRUPTED: WAITING,
}


def recover(
    store: ReleaseStore, registry: Registry, undo: bool, versions: list[Version] | None = None
) -> list[str]:
    """Finish or undo killed pushes, rollbacks and decisions; return what was done, in words.

    - A version that the history lacks is recorded there.
    - A switch that the history or the aliases lack is stored there.
    - A decision that the history has, and a version's tags or the store lack, is completed.
    - Half a version, which a killed push or unpublishing leaves, is deleted.
    - A promotion that ended before its switch is undone: the version waits for a decision again.

    Args:
        undo: whether no promotion can be in progress: the caller holds the lock of the home.
        versions: the versions whose decisions are compared; None for the newest ones.

    Raises:
        StepError: the history or the registry cannot be reached.
    """
    done = [
        f"recorded that version {switch.version} was {switch.what} by {switch.by}"
        for switch in write_history(store, registry.history, late=True)
    ]
    if point_aliases(store, registry):
        done.append(f"the aliases live and previous follow version {store.live()}")
    versions = registry.versions(PAGE_SIZE) if versions is None else versions
    records = registry.history.records()
    known = {record.version for record in records}
    done += [_register(registry, version) for version in versions[::-1] if version.number not in known]
    decisions = {record.version: record for record in records if record.act in _REVIEW}
    for version in versions:
        decision = decisions.get(version.number)
        if decision and version.review != _REVIEW[Act(decision.act)]:
            done.append(_complete(registry, decision))
    live = store.live()
    for number in store.versions():
        if number != live and number in decisions and decisions[number].act == Act.REJECTED:
            unpublish(store, number)
            done.append(f"unpublished version {number}, which is rejected")
    if undo:
        for number in set(store.directories()) - {live, *store.versions()}:
            unpublish(store, number)
            done.append(f"deleted the half of version {number} that was published")
        last_acts = {record.version: record for record in records if record.act in {*_REVIEW, Act.PUSHED}}
        pushed = {record.version for record in records if record.act == Act.PUSHED}
        for number, record in last_acts.items():
            if record.act == Act.APPROVED:
                done.append(_undo(store, registry, record, unpublishes=number not in pushed))
    return done


def _register(registry: Registry, version: Version) -> str:
    at = datetime.fromtimestamp(version.created_at, UTC).isoformat(timespec="milliseconds")
    by = f"run {version.run_id}"
    registry.history.append(Act.REGISTERED, version.number, by, figures=figures_of(version.tags), at=at)
    return f"recorded that version {version.number} was registered"


def _complete(registry: Registry, decision: Record) -> str:
    """Let the tags of a version follow a decision of the history."""
    review = _REVIEW[Act(decision.act)]
    registry.tag_decision(decision.version, review, decision.by, decision.reason)
    message = f"completed: version {decision.version} was {decision.act} by {decision.by} at {decision.at}"
    registry.history.append(Act.COMPLETED, decision.version, "penchant", message)
    return message


def _undo(store: ReleaseStore, registry: Registry, approval: Record, unpublishes: bool) -> str:
    """Let a version wait again; unpublish it unless it was live before, since nothing has tested it."""
    if unpublishes:
        unpublish(store, approval.version)
    message = (
        f"the promotion of version {approval.version}, approved by {approval.by} at {approval.at}, ended "
        "before the switch: the version waits for a decision again"
    )
    registry.wait(approval.version, message)
    return message
