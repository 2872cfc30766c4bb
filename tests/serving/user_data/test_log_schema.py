"""Logs of an earlier version are brought up to date at their first use, as a whole or not at all."""

import time
from collections.abc import Sequence

import pytest
import sqlalchemy as sa

from feature_repo.interaction import Interaction
from serving.errors import Unavailable
from serving.user_data.interaction_log import InteractionLog
from serving.user_data.interaction_table import METADATA
from serving.user_data.log_database import create_engine
from tests.serving.user_data.test_interaction_log import view

HOUR_US = 3_600_000_000

# The table of the version without positions.
BEFORE = (
    """CREATE TABLE interactions (
        interaction_id TEXT NOT NULL PRIMARY KEY, user_id TEXT NOT NULL, item_id TEXT NOT NULL,
        event_type TEXT NOT NULL, timestamp BIGINT NOT NULL, value DOUBLE PRECISION, domain TEXT NOT NULL,
        recorded_at BIGINT NOT NULL
    )""",
    "CREATE INDEX interactions_by_user ON interactions (user_id, recorded_at)",
    "CREATE INDEX interactions_by_recorded_at ON interactions (recorded_at)",
)
INSERT = "INSERT INTO interactions VALUES ('{0}', 'u', '{0}', 'view', 5, NULL, '', {1})"


@pytest.fixture
def as_of(database_url: str) -> int:
    """Makes an old log with items recorded one and two hours ago; returns the time between."""
    now = time.time_ns() // 1000
    rows = [INSERT.format("late", now - HOUR_US), INSERT.format("early", now - 2 * HOUR_US)]
    execute(database_url, [*BEFORE, *rows])
    return now - 3 * HOUR_US // 2


def execute(url: str, statements: Sequence[str]) -> None:
    engine = create_engine(url, 5)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))
    engine.dispose()


def test_an_old_log_keeps_its_rows_in_the_order_of_recording(database_url: str, as_of: int) -> None:
    log = InteractionLog(database_url)
    assert [each.item_id for each in log.since("u", 0)] == ["late", "early"]
    assert [each.item_id for each in log.since("u", as_of)] == ["late"]  # a snapshot without a mark
    assert log.record([view("u", "newest"), view("u", "late", 5, interaction_id="late")]) == 1
    assert [each.item_id for each in log.since("u", 0)] == ["newest", "late", "early"]
    exported = [row.item_id for batch in log.export(0, log.mark(as_of)) for row in batch]
    assert exported == ["early", "late", "newest"]
    assert log.since("u", as_of) == []
    log.close()


@pytest.mark.parametrize("column", ["query", "request_id"])
def test_a_log_without_later_columns_gets_them(database_url: str, column: str) -> None:
    log = InteractionLog(database_url)
    log.record([view("u", "a")])
    log.close()
    drop = f"ALTER TABLE interactions DROP COLUMN {column}"
    execute(database_url, ["DROP INDEX interactions_of_user", drop])
    log = InteractionLog(database_url)
    log.record([Interaction("s", "u", "", "search", 6, query="space opera")])
    assert [(row.item_id, row.query) for row in log.since("u", 0)] == [("", "space opera"), ("a", "")]
    assert [row.item_id for row in log.newest("u", 0)] == ["a"]
    log.close()


def test_a_new_process_finds_the_log_up_to_date(database_url: str, as_of: int) -> None:
    for _ in range(2):
        log = InteractionLog(database_url)
        assert len(log.since("u", 0)) == 2
        log.close()


def test_a_service_of_the_earlier_version_can_still_record(database_url: str, as_of: int) -> None:
    log = InteractionLog(database_url)
    log.since("u", 0)
    columns = "interaction_id, user_id, item_id, event_type, timestamp, value, domain, recorded_at"
    execute(database_url, [INSERT.format("old", as_of).replace("VALUES", f"({columns}) VALUES")])
    assert [each.item_id for each in log.since("u", 0)] == ["old", "late", "early"]
    log.close()


def test_a_killed_migration_leaves_the_old_log(
    database_url: str, as_of: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_: sa.Connection) -> None:
        raise OSError("killed")

    log = InteractionLog(database_url)
    with monkeypatch.context() as patch:
        patch.setattr(METADATA, "create_all", killed)
        with pytest.raises(Unavailable, match="can't read: killed"):
            log.since("u", 0)
    log.close()
    execute(database_url, [INSERT.format("newest", as_of + 2 * HOUR_US)])
    assert [each.item_id for each in log.since("u", 0)] == ["newest", "late", "early"]
    log.close()
