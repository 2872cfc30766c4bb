"""User profiles, with expected values computed by hand."""

from typing import Any

import ibis
import pyarrow as pa
import pytest

from components.build_features.user_profile import build_user_profile
from components.errors import StepError
from tests.feature_repo.planted import DAY, START, interaction, interactions_table

PLANTED = [
    interaction("ann", "a", 0, value=2.0),
    interaction("ann", "a", 35 * DAY, value=4.0),
    interaction("bob", "a", 39 * DAY + DAY // 2, value=float("nan")),
    interaction("bob", "b", 10 * DAY, value=1.0),
]


def by_key(table: ibis.Table) -> dict[str, dict[str, Any]]:
    rows = table.to_pyarrow().to_pylist()
    return {row.pop(table.columns[0]): row for row in rows}


def log() -> ibis.Table:
    return ibis.memtable(interactions_table(PLANTED))


def test_profiles_join_attributes_and_activity_of_all_users() -> None:
    users = ibis.memtable(pa.table({"user_id": ["ann", "zoe"], "age": [30, 40], "plan": ["free", None]}))
    profiles = by_key(build_user_profile(log(), users))
    assert profiles["ann"] == {
        "age": 30.0,
        "plan": "free",
        "interactions": 2,
        "items": 1,
        "mean_value": 3.0,
        "first_seen": START,
        "last_seen": START + 35 * DAY,
        "seen_before": None,
    }
    assert profiles["bob"]["age"] is None
    assert (profiles["bob"]["interactions"], profiles["bob"]["items"]) == (2, 2)
    assert (profiles["zoe"]["age"], profiles["zoe"]["interactions"], profiles["zoe"]["last_seen"]) == (
        40.0,
        0,
        None,
    )


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"interactions": [1]}, "'interactions' has a reserved name"),
        ({"loyalty_y": [1]}, "'loyalty_y' has a reserved name"),
        ({"tags": [["a"]]}, "'tags' is array<string>; expected text or a number"),
    ],
)
def test_an_invalid_attribute_is_rejected_with_its_name(column: dict[str, Any], message: str) -> None:
    users = ibis.memtable(pa.table({"user_id": ["ann"], **column}))
    with pytest.raises(StepError, match=message):
        build_user_profile(log(), users)
