"""Item statistics, item content and user profiles, worked by hand."""

from typing import Any

import ibis
import pyarrow as pa
import pytest

from components.build_features.item_content import build_item_content
from components.build_features.item_statistics import build_item_statistics
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


def test_item_statistics_count_each_window_back_from_the_snapshot() -> None:
    items = ibis.memtable({"item_id": ["a", "b", "new"]})
    found = by_key(build_item_statistics(log(), items, START + 40 * DAY))
    assert found["a"] == {
        "interactions": 3,
        "users": 2,
        "mean_value": 3.0,
        "last_seen": START + 39 * DAY + DAY // 2,
        "interactions_1d": 1,
        "mean_value_1d": None,
        "interactions_7d": 2,
        "mean_value_7d": 4.0,
        "interactions_30d": 2,
        "mean_value_30d": 4.0,
    }
    # Ten days after the start is exactly thirty before the snapshot: the window holds its first moment.
    assert (found["b"]["interactions_7d"], found["b"]["interactions_30d"]) == (0, 1)
    assert found["new"]["interactions"] == found["new"]["users"] == found["new"]["interactions_30d"] == 0
    assert found["new"]["mean_value"] is None


def test_a_profile_holds_attributes_and_activity_of_users_from_either_table() -> None:
    users = ibis.memtable(pa.table({"user_id": ["ann", "zoe"], "age": [30, 40], "plan": ["free", None]}))
    found = by_key(build_user_profile(log(), users))
    assert found["ann"] == {
        "age": 30.0,
        "plan": "free",
        "interactions": 2,
        "items": 1,
        "mean_value": 3.0,
        "first_seen": START,
        "last_seen": START + 35 * DAY,
        "seen_before": None,
    }
    assert found["bob"]["age"] is None
    assert (found["bob"]["interactions"], found["bob"]["items"]) == (2, 2)
    assert (found["zoe"]["age"], found["zoe"]["interactions"], found["zoe"]["last_seen"]) == (40.0, 0, None)


@pytest.mark.parametrize(
    ("column", "fault"),
    [
        ({"interactions": [1]}, "'interactions' has a reserved name"),
        ({"loyalty_y": [1]}, "'loyalty_y' has a reserved name"),
        ({"tags": [["a"]]}, "'tags' is array<string>; expected text or a number"),
    ],
)
def test_an_attribute_that_can_not_be_a_feature_is_named(column: dict[str, Any], fault: str) -> None:
    users = ibis.memtable(pa.table({"user_id": ["ann"], **column}))
    with pytest.raises(StepError, match=fault):
        build_user_profile(log(), users)


def test_item_content_joins_every_text_and_keeps_embeddings() -> None:
    items = pa.table(
        {
            "item_id": ["a", "b"],
            "title": ["Dune", None],
            "categories": [["scifi"], None],
            "domain": ["films", None],
            "available_from": pa.nulls(2, pa.timestamp("us", "UTC")),
            "available_until": pa.nulls(2, pa.timestamp("us", "UTC")),
            "plot": ["Sand.", "Rain."],
            "cover": [[0.5, 1.0], [0.0, 2.0]],
        }
    )
    found = by_key(build_item_content(ibis.memtable(items)))
    assert found["a"] == {
        "title": "Dune",
        "categories": ["scifi"],
        "domain": "films",
        "text": "Dune Sand.",
        "cover": [0.5, 1.0],
    }
    assert (found["b"]["title"], found["b"]["categories"], found["b"]["text"]) == ("", [], "Rain.")
