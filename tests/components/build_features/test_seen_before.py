"""Items that were chosen before the history begins, with expected values computed by hand."""

from typing import Any

from components.build_features.seen_before import build_seen_before
from components.compute.engine import fetch
from feature_repo.interaction import Interaction
from tests.compute import table
from tests.feature_repo.planted import interaction, interactions_table


def seen_before(*log: Interaction, **limits: int) -> dict[str, Any]:
    rows = fetch(build_seen_before(table(interactions_table(log)), **limits)).to_pylist()
    return {row["user_id"]: row["seen_before"] for row in rows}


def chosen(user: str, items: str) -> list[Interaction]:
    """Return one interaction for each letter of `items`, in order."""
    return [interaction(user, item, at) for at, item in enumerate(items)]


def test_items_before_the_history_are_listed_once() -> None:
    log = [*chosen("ann", "cabbaxyz"), *chosen("bob", "xyz"), *chosen("cleo", "dxyz")]
    assert seen_before(*log, max_history=3) == {"ann": ["a", "b", "c"], "cleo": ["d"]}


def test_items_of_the_history_are_not_listed() -> None:
    assert seen_before(*chosen("ann", "abcabz"), max_history=3) == {"ann": ["c"]}


def test_the_newest_items_are_listed_when_there_are_too_many() -> None:
    assert seen_before(*chosen("ann", "adbcaxyz"), max_history=3, max_items=2) == {"ann": ["a", "c"]}


def test_interactions_at_equal_times_are_ordered_by_id() -> None:
    log = [interaction("ann", item, 5, id=item) for item in "bca"]
    assert seen_before(*log, max_history=2) == {"ann": ["a"]}
