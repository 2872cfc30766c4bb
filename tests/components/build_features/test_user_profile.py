"""User profiles, with expected values computed by hand."""

from typing import Any

import ibis.expr.types as ir
import pyarrow as pa
import pytest

from components.build_features import disliked_before
from components.build_features.user_profile import build_user_profile
from components.compute.engine import fetch
from components.errors import StepError
from feature_repo.interaction import Interaction
from tests.compute import table
from tests.feature_repo.planted import DAY, START, interaction, interactions_table, search

PLANTED = [
    interaction("ann", "a", 0, value=2.0),
    interaction("ann", "a", 35 * DAY, value=4.0),
    interaction("bob", "a", 39 * DAY + DAY // 2, value=float("nan")),
    interaction("bob", "b", 10 * DAY, value=1.0),
]


def by_key(profile: ir.Table) -> dict[str, dict[str, Any]]:
    rows = fetch(profile).to_pylist()
    return {row.pop(profile.columns[0]): row for row in rows}


def profiles(
    users: dict[str, Any], searches: list[Interaction] | None = None, **disliked: list[str]
) -> dict[str, dict[str, Any]]:
    rows = [{"user_id": user, "disliked_before": items} for user, items in disliked.items()]
    profile = build_user_profile(
        table(interactions_table(PLANTED)),
        table(interactions_table(searches or [])),
        table(pa.table(users)),
        table(pa.Table.from_pylist(rows, disliked_before.SCHEMA)),
    )
    return by_key(profile)


def test_profiles_join_attributes_and_activity_of_all_users() -> None:
    found = profiles({"user_id": ["ann", "zoe"], "age": [30, 40], "plan": ["free", None]}, ann=["c", "b"])
    assert found["ann"] == {
        "age": 30.0,
        "plan": "free",
        "interactions": 2,
        "items": 1,
        "mean_value": 3.0,
        "first_seen": START,
        "last_seen": START + 35 * DAY,
        "seen_before": None,
        "disliked_before": ["c", "b"],
        "searches": None,
        "search_times": None,
    }
    assert found["bob"]["age"] is None
    assert (found["bob"]["interactions"], found["bob"]["items"]) == (2, 2)
    assert (found["zoe"]["age"], found["zoe"]["interactions"], found["zoe"]["last_seen"]) == (
        40.0,
        0,
        None,
    )


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"interactions": [1]}, "'interactions' has a reserved name"),
        ({"searches": ["a"]}, "'searches' has a reserved name"),
        ({"loyalty_y": [1]}, "'loyalty_y' has a reserved name"),
        ({"tags": [["a"]]}, "'tags' is array<string>; expected text or a number"),
    ],
)
def test_an_invalid_attribute_is_rejected_with_its_name(column: dict[str, Any], message: str) -> None:
    with pytest.raises(StepError, match=message):
        profiles({"user_id": ["ann"], **column})


def test_the_last_searches_are_listed_oldest_first_once_each() -> None:
    asked = [search("ann", f"words {at}", at) for at in range(12, 0, -1)]
    asked += [search("ann", "words 12", 12, id="again"), search("new", "b", 5), search("new", "a", 5)]
    found = profiles({"user_id": ["zoe"]}, asked)
    assert found["ann"]["searches"] == [f"words {at}" for at in range(3, 13)]
    assert found["ann"]["search_times"] == [START + at for at in range(3, 13)]
    assert (found["new"]["searches"], found["new"]["search_times"]) == (["a", "b"], [START + 5] * 2)
    assert found["zoe"]["searches"] is None
