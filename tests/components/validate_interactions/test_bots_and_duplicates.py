"""The rules for bots and duplicates, and interactions that are neither."""

import re
from datetime import timedelta
from typing import Any

import pytest

from components.validate_interactions.bots_and_duplicates import (
    BOT_INTERACTIONS_PER_DATE,
    BOT_INTERACTIONS_PER_HOUR,
    BOT_REASON,
    DATE_ROWS,
)
from feature_repo.event_types import Kind
from feature_repo.feedback import FeedbackPolicy
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


def test_bots_are_told_and_stop_no_run(snapshot: Any, capsys: pytest.CaptureFixture[str]) -> None:
    snapshot.rows = steady_pace("bot", BOT_INTERACTIONS_PER_HOUR + 1, 60) + steady_pace("fan", 800, 3_599)
    counts = snapshot.validate(0.0)
    assert (counts["valid_rows"], counts["bot_users"], counts["failed_share"]) == (800, 1, 0.0)
    told = r"user_id: bot with more than 2,000 interactions .* on a date +2,001 rows.*'bot'"
    assert re.search(told, capsys.readouterr().out)


def on_dates(user: str, counts: list[int], hour: int = 0) -> list[dict[str, Any]]:
    """Return `counts[n]` interactions on the n-th day before the snapshot, all at the same hour."""
    midnight = AS_OF.replace(hour=hour, minute=0, second=0, microsecond=0)
    return [
        interaction(
            f"{user} {day} {n:05}", user, f"item {n}", 0, timestamp=midnight - timedelta(days=day + 1)
        )
        for day, count in enumerate(counts)
        for n in range(count)
    ]


@pytest.mark.parametrize("hour", [0, 22])
def test_a_date_is_no_hour(snapshot: Any, hour: int, capsys: pytest.CaptureFixture[str]) -> None:
    many = BOT_INTERACTIONS_PER_HOUR + 1
    snapshot.rows = [*on_dates("shop", [many, many], hour), *on_dates("ann", [3, 2], hour)]
    assert snapshot.validate(0.0)["valid_rows"] == len(snapshot.rows)
    assert "4,007 interactions have a date without a time of day" in capsys.readouterr().out


def test_a_user_with_very_many_interactions_on_a_date_is_a_bot(snapshot: Any) -> None:
    limit = BOT_INTERACTIONS_PER_DATE
    snapshot.rows = [*on_dates("bot", [limit + 1, 1]), *on_dates("shop", [limit, limit])]
    counts = snapshot.validate(max_failed_share=0.9)
    assert (counts["bot_users"], counts["quarantined_rows"]) == (1, limit + 2)
    assert set(snapshot.valid["user_id"].to_pylist()) == {"shop"}


def test_the_same_purchase_twice_on_a_date_is_no_duplicate(snapshot: Any) -> None:
    snapshot.rows = on_dates("ann", [DATE_ROWS, DATE_ROWS])
    snapshot.rows.append(snapshot.rows[0] | {"interaction_id": "again"})
    assert snapshot.validate(0.0)["valid_rows"] == len(snapshot.rows)


def test_a_bot_on_one_day_only_is_measured_by_the_hour(snapshot: Any) -> None:
    snapshot.rows = [*on_dates("bot", [BOT_INTERACTIONS_PER_HOUR + 1]), *steady_pace("fan", 800, 3_599)]
    assert snapshot.validate(max_failed_share=0.8)["bot_users"] == 1


def test_recorded_interactions_beside_dates_are_measured_by_the_hour(snapshot: Any) -> None:
    snapshot.rows = [*on_dates("ann", [50, 50]), *steady_pace("bot", BOT_INTERACTIONS_PER_HOUR + 1, 3_599)]
    snapshot.rows.append(interaction("double click", "bot", "item 0", 0.5))
    snapshot.rows.append(interaction("slow", "ann", "item 0", 7))
    snapshot.rows.append(interaction("fast", "ann", "item 0", 7.5))
    counts = snapshot.validate(max_failed_share=0.99)
    assert (counts["bot_users"], counts["duplicate_rows"]) == (1, 1)


def test_event_types_of_the_policy_are_known(snapshot: Any, capsys: pytest.CaptureFixture[str]) -> None:
    snapshot.feedback = FeedbackPolicy({"unbox": Kind.POSITIVE})
    snapshot.rows = [
        interaction("1", "ann", "tea", 0, event_type="unbox"),
        interaction("2", "ann", "tea", 9, event_type="lend"),
    ]
    assert snapshot.validate(0.0)["warnings"] == 1
    assert (
        "event_type: unknown, so it is neutral (warning)  1 rows  50.00%  'lend'" in capsys.readouterr().out
    )
