"""Follows aliases that a person sets in MLflow's own page or API: `live` promotes a version."""

import time
from collections.abc import Callable
from typing import Final

from components.errors import StepError
from components.push_release.alias_moves import (
    ELSEWHERE,
    AliasMove,
    accept_candidate,
    find_moves,
    refuse,
)
from components.register_release.model_registry import Registry
from components.register_release.registered_version import LIVE, REJECTED
from pipelines.errors import HomeInUse, RunError
from pipelines.local_run.recovery import recover_home
from pipelines.review.decisions import open_registry
from pipelines.review.local_push import push_here
from pipelines.settings import Settings
from serving.release.release_store import ReleaseStore

# An alias is noticed within this time, and the time that MLflow takes to answer.
INTERVAL_S: Final = 10.0


def watch(settings: Settings, report: Callable[[str], None]) -> None:
    """Follow the aliases until KeyboardInterrupt; a problem is reported once, and tried again."""
    registry, problem, is_recovered = open_registry(settings), "", False
    while True:
        try:
            if not is_recovered:
                for message in recover_home(settings, registry):
                    report(message)
                is_recovered = True
            for message in follow_aliases(settings, registry):
                report(message)
            problem = ""
        except Exception as error:  # MLflow and databases have no common base class, and the loop must go on
            if str(error) != problem:
                report(str(error))
            problem = str(error)
        time.sleep(INTERVAL_S)


def follow_aliases(settings: Settings, registry: Registry) -> list[str]:
    """Do what moved aliases ask for, or set them back; return what was done, in words.

    Also finishes what killed commands left, such as a switch that the aliases do not know yet.

    Raises:
        StepError: the registry cannot be reached.
        HomeInUse: another run uses the home; the aliases stay as they are until it ends.
    """
    store = ReleaseStore(settings.releases)
    done = []
    if registry.known_switch() != store.live_record().get("switch", {}).get("id", ""):
        done += recover_home(settings, registry)
    for move in find_moves(store, registry):
        try:
            is_live = move.alias == LIVE
            done.append(_promote(settings, move, registry) if is_live else accept_candidate(move, registry))
        except StepError as error:
            done.append(refuse(move, registry, str(error)))
    return done


def _promote(settings: Settings, move: AliasMove, registry: Registry) -> str:
    """Push the version that `live` was moved to.

    Raises:
        StepError: it must not go live, or its push failed.
        HomeInUse: another run uses the home.
    """
    if move.version is None:
        raise StepError("a version stays live until another one replaces it")
    if registry.version(move.version).review == REJECTED:
        raise StepError(f"version {move.version} is rejected")
    try:
        push_here(settings, move.version, ELSEWHERE, f"the alias {LIVE} was moved to it")
    except HomeInUse:
        raise
    except RunError as error:
        raise StepError(str(error)) from error
    return f"version {move.version} is live: the alias was set elsewhere"
