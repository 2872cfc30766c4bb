"""The rules for bots and duplicates, and interactions that are neither."""

from datetime import timedelta
from typing import Any

import pytest

from components.errors import StepError
from components.validate_interactions.bots_and_duplicates import BOT_INTERACTIONS_PER_HOUR, BOT_REASON
from tests.components.validate_interactions.conftest import AS_OF


def interaction(name: str, user: str, item: str, second: float, **changes: Any) -> dict[str, Any]:
    return {
        "interaction_id": name,
        "user_id": user,
        "item_id": item,
        "event_type": "click",
        "value": None,
        "timestamp": AS_OF - timedelta(days=1) + timedelta(seconds=second),
        "domain": None,
    } | changes


def test_a_duplicate_within_a_second_is_dropped_and_the_first_stays(snapshot: Any) -> None:
    snapshot.rows = [
        interaction("first", "ann", "tea", 0),
        interaction("double click", "ann", "tea", 0.4),
        interaction("retry", "ann", "tea", 1.4),
        interaction("next day", "ann", "tea", 3600),
    ]
    counts = snapshot.validate(0.0)
    assert snapshot.valid["interaction_id"].to_pylist() == ["first", "next day"]
    assert snapshot.quarantine == {}
    assert (counts["duplicate_rows"], counts["quarantined_rows"]) == (2, 0)


@pytest.mark.parametrize(
    "changes", [{"event_type": "purchase"}, {"value": 3.0}, {"item_id": "milk"}, {"user_id": "bob"}], ids=str
)
def test_a_different_interaction_within_a_second_is_no_duplicate(
    snapshot: Any, changes: dict[str, Any]
) -> None:
    snapshot.rows = [interaction("a", "ann", "tea", 0), interaction("b", "ann", "tea", 0.5, **changes)]
    snapshot.rows.sort(key=lambda row: row["user_id"])
    assert snapshot.validate(0.0)["valid_rows"] == 2


def test_an_interaction_that_equals_a_quarantined_one_stays(snapshot: Any) -> None:
    snapshot.rows = [
        interaction("broken", "ann", "tea", 0, domain=""),
        interaction("valid", "ann", "tea", 0.5),
        *(interaction(f"other {n}", "ann", "milk", 60 * n) for n in range(1, 20)),
    ]
    snapshot.validate()
    assert "valid" in snapshot.valid["interaction_id"].to_pylist()


def test_impressions_make_neither_bots_nor_duplicates(snapshot: Any) -> None:
    shown = [
        interaction(f"shown {n}", "ann", "tea", n / 10, event_type="impression")
        for n in range(BOT_INTERACTIONS_PER_HOUR + 50)
    ]
    snapshot.rows = [*shown, interaction("click", "ann", "tea", 9_000)]
    counts = snapshot.validate(0.0)
    assert counts["valid_rows"] == len(snapshot.rows)
    assert (counts["bot_users"], counts["duplicate_rows"]) == (0, 0)


def test_low_ratings_and_dislikes_stay(snapshot: Any) -> None:
    snapshot.rows = [
        interaction("a", "ann", "tea", 0, event_type="rate", value=0.5),
        interaction("b", "ann", "milk", 9, event_type="dislike"),
    ]
    assert snapshot.validate(0.0)["valid_rows"] == 2


def steady_pace(user: str, count: int, seconds: float) -> list[dict[str, Any]]:
    """Return `count` interactions at equal distances, the last one `seconds` after the first."""
    return [interaction(f"{user} {n}", user, f"item {n}", n * seconds / (count - 1)) for n in range(count)]


def test_all_interactions_of_a_bot_are_quarantined(snapshot: Any) -> None:
    early = interaction("long before", "bot", "tea", -80_000)
    snapshot.rows = [
        early,
        *steady_pace("bot", BOT_INTERACTIONS_PER_HOUR + 1, 3_599),
        *steady_pace("fan", 800, 3_599),
    ]
    counts = snapshot.validate(max_failed_share=0.8)
    assert (counts["bot_users"], counts["quarantined_rows"]) == (1, BOT_INTERACTIONS_PER_HOUR + 2)
    assert set(snapshot.valid["user_id"].to_pylist()) == {"fan"}
    assert snapshot.quarantine["long before"] == [BOT_REASON]


@pytest.mark.parametrize(
    ("count", "seconds"), [(BOT_INTERACTIONS_PER_HOUR, 60), (BOT_INTERACTIONS_PER_HOUR + 1, 3_601)]
)
def test_a_user_at_the_limit_is_no_bot(snapshot: Any, count: int, seconds: float) -> None:
    snapshot.rows = steady_pace("fan", count, seconds)
    assert snapshot.validate(0.0)["valid_rows"] == count


def test_more_bots_than_allowed_stop_the_run(snapshot: Any) -> None:
    snapshot.rows = steady_pace("bot", BOT_INTERACTIONS_PER_HOUR + 1, 60) + steady_pace("fan", 800, 3_599)
    with pytest.raises(
        StepError, match=r"user_id: bot with more than 2,000 interactions within an hour +2,001 rows.*'bot'"
    ):
        snapshot.validate()
