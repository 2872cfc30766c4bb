"""Aliases that somebody moved in MLflow itself: what they ask for, and how they are set back."""

from dataclasses import dataclass
from typing import Final

from components.errors import StepError
from components.push_release.candidate_check import check_candidate
from components.push_release.live_switch import last_switch
from components.register_release.model_registry import Registry
from components.register_release.registered_model import KNOWN_CANDIDATE, SWITCH
from components.register_release.registered_version import CANDIDATE, LIVE, REJECTED
from components.register_release.review_history import Act
from serving.release.published_versions import PublishedVersions

# The person of the history: MLflow does not say who set an alias.
ELSEWHERE: Final = "alias set elsewhere"


@dataclass(frozen=True)
class AliasMove:
    """An alias that refers to another version than Penchant let it; None for none."""

    alias: str
    before: int | None
    version: int | None


def find_moves(store: PublishedVersions, registry: Registry) -> list[AliasMove]:
    """Return the aliases `live` and `candidate` that were moved elsewhere.

    None while they lag behind the last switch, which recovery.recover mends.

    Raises:
        StepError: the registry cannot be reached.
    """
    last = last_switch(store)
    aliases, tags = registry.aliases_and_tags()
    if tags.get(SWITCH, "") != (last.id if last else ""):
        return []
    known = tags.get(KNOWN_CANDIDATE)
    expected = {LIVE: store.live(), CANDIDATE: int(known) if known else None}
    return [
        AliasMove(alias, version, aliases.get(alias))
        for alias, version in expected.items()
        if aliases.get(alias) != version
    ]


def accept_candidate(move: AliasMove, registry: Registry) -> str:
    """Let a version wait for a decision because `candidate` was moved to it; return a message.

    Raises:
        StepError: the version cannot be a candidate, or does not pass its test.
    """
    if move.version is None:
        registry.point_candidate(None)
        return "no version is the candidate: the alias was removed elsewhere"
    version = registry.version(move.version)
    if version.review == REJECTED or LIVE in version.aliases:
        state = "rejected" if version.review == REJECTED else "live"
        raise StepError(f"version {version.number} is {state}: `penchant review approve` decides about it")
    check_candidate(version, registry)
    registry.history.append(Act.MADE_CANDIDATE, version.number, ELSEWHERE)
    registry.point_candidate(version.number)
    return f"version {version.number} is the candidate: the alias was set elsewhere"


def refuse(move: AliasMove, registry: Registry, reason: str) -> str:
    """Record why a moved alias is set back, and set it back; return a message."""
    target = "nothing" if move.version is None else f"version {move.version}"
    message = f"alias {move.alias} set elsewhere to {target} is set back: {reason}"
    number = move.version if move.version is not None else move.before
    registry.history.append(Act.ALIAS_REFUSED, number or 0, ELSEWHERE, message)
    registry.set_alias(move.alias, move.before)
    return message
