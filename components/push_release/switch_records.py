"""Writes switches of the live version to the review history, and lets the aliases follow; can be repeated."""

from typing import TYPE_CHECKING

from components.progress import report
from components.push_release.live_switch import Switch, forget, last_switch, unrecorded
from components.register_release.review_history import Act, ReviewHistory
from serving.release.published_versions import PublishedVersions

if TYPE_CHECKING:
    from components.register_release.model_registry import Registry  # it imports MLflow


def record_switches(store: PublishedVersions, registry: "Registry") -> None:
    """Record the last switch in history and aliases, or report that a later command does so.

    The version is live either way; an error here must not look like a failed push.
    """
    try:
        write_history(store, registry.history)
        point_aliases(store, registry)
    except Exception as error:  # MLflow, databases and the network have no common base class
        report(f"the registry does not know it yet ({error}): the next `penchant review` command tells it")


def write_history(store: PublishedVersions, history: ReviewHistory, late: bool = False) -> list[Switch]:
    """Append the switches that the history lacks, and return them, oldest first.

    Args:
        late: whether a killed or failed command should have done it.

    Raises:
        StepError: the database of the history cannot be reached.
    """
    added = []
    for switch in unrecorded(store):
        if not history.has_switch(switch.id):
            live = (switch.before, switch.version)
            history.append(
                Act(switch.what),
                switch.version,
                switch.by,
                switch.reason,
                live=live,
                switch=switch.id,
                at=switch.at if late else "",
            )
            added.append(switch)
        forget(store, switch)
    return added


def point_aliases(store: PublishedVersions, registry: "Registry") -> bool:
    """Let `live` and `previous` refer to what live.json says; return whether they lagged behind.

    Raises:
        StepError: the registry cannot be reached.
    """
    last = last_switch(store)
    if last is None or registry.known_switch() == last.id:
        return False
    registry.point_live(last.version, store.rollback_target(), last.id)
    return True
