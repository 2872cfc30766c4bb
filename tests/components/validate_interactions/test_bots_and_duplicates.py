"""The rules for bots and duplicates, and interactions that are neither."""

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.validate_interactions.bots_and_duplicates import (
    BOT_INTERACTIONS_PER_DATE,
    BOT_INTERACTIONS_PER_HOUR,
    BOT_REASON,
    DATE_ROWS,
    find_bots_and_duplicates,
)
from feature_repo.event_types import Kind
from feature_repo.feedback import FeedbackPolicy
from tests.components.validate_interactions.conftest import AS_OF, NULLABLE


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


@dataclass(frozen=True)
class Found:
    """The interactions and users that the rules find."""

    bots: list[str]
    bot_users: list[str]
    duplicates: list[str]


def find(folder: Path, rows: list[dict[str, Any]]) -> Found:
    """Apply the rules to valid rows, without the rest of a validation."""
    file = folder / "interactions.parquet"
    pq.write_table(pa.Table.from_pylist(rows, NULLABLE), file)
    found, ids = find_bots_and_duplicates(file, np.zeros(0, np.int64)), names(rows)
    bots, duplicates = ([ids[row] for row in numbers] for numbers in (found.bots, found.duplicates))
    return Found(bots, found.bot_users, duplicates)


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [row["interaction_id"] for row in rows]


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
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    rows = [interaction("a", "ann", "tea", 0), interaction("b", "ann", "tea", 0.5, **changes)]
    assert find(tmp_path, rows).duplicates == []


def test_an_interaction_that_equals_a_quarantined_one_stays(snapshot: Any) -> None:
    snapshot.rows = [
        interaction("broken", "ann", "tea", 0, domain=""),
        interaction("valid", "ann", "tea", 0.5),
        *(interaction(f"other {n}", "ann", "milk", 60 * n) for n in range(1, 20)),
    ]
    snapshot.validate()
    assert "valid" in snapshot.valid["interaction_id"].to_pylist()


def test_impressions_make_neither_bots_nor_duplicates(tmp_path: Path) -> None:
    shown = [
        interaction(f"shown {n}", "ann", "tea", n / 10, event_type="impression")
        for n in range(BOT_INTERACTIONS_PER_HOUR + 50)
    ]
    found = find(tmp_path, [*shown, interaction("click", "ann", "tea", 9_000)])
    assert found == Found(bots=[], bot_users=[], duplicates=[])


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
def test_a_user_at_the_limit_is_no_bot(tmp_path: Path, count: int, seconds: float) -> None:
    assert find(tmp_path, steady_pace("fan", count, seconds)) == Found(bots=[], bot_users=[], duplicates=[])


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


def test_a_user_with_very_many_interactions_on_a_date_is_a_bot(tmp_path: Path) -> None:
    limit = BOT_INTERACTIONS_PER_DATE
    bot, shop = on_dates("bot", [limit + 1, 1]), on_dates("shop", [limit, limit])
    found = find(tmp_path, bot + shop)
    assert found == Found(bots=names(bot), bot_users=["bot"], duplicates=[])


def test_the_same_purchase_twice_on_a_date_is_no_duplicate(tmp_path: Path) -> None:
    rows = on_dates("ann", [DATE_ROWS, DATE_ROWS])
    rows.append(rows[0] | {"interaction_id": "again"})
    assert find(tmp_path, rows).duplicates == []


def test_a_bot_on_one_day_only_is_measured_by_the_hour(tmp_path: Path) -> None:
    rows = [*on_dates("bot", [BOT_INTERACTIONS_PER_HOUR + 1]), *steady_pace("fan", 800, 3_599)]
    assert find(tmp_path, rows).bot_users == ["bot"]


def test_recorded_interactions_beside_dates_are_measured_by_the_hour(tmp_path: Path) -> None:
    bot = [
        *steady_pace("bot", BOT_INTERACTIONS_PER_HOUR + 1, 3_599),
        interaction("double click", "bot", "item 0", 0.5),
    ]
    slow, fast = interaction("slow", "ann", "item 0", 7), interaction("fast", "ann", "item 0", 7.5)
    found = find(tmp_path, [*on_dates("ann", [50, 50]), *bot, slow, fast])
    assert found == Found(bots=names(bot), bot_users=["bot"], duplicates=["fast"])


def test_event_types_of_the_policy_are_known(snapshot: Any, capsys: pytest.CaptureFixture[str]) -> None:
    snapshot.feedback = FeedbackPolicy({"unbox": Kind.POSITIVE})
    snapshot.rows = [
        interaction("1", "ann", "tea", 0, event_type="unbox"),
        interaction("2", "ann", "tea", 9, event_type="lend"),
    ]
    assert snapshot.validate(0.0)["warnings"] == 1
    assert "event_type: unknown, so it is neutral (warning)  1 row  50.00%  'lend'" in capsys.readouterr().out
