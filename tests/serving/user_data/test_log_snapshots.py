"""A mark of a snapshot in the log: nothing is committed below it later, although transactions overlap."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
import sqlalchemy as sa

from serving.user_data.interaction_log import InteractionLog
from serving.user_data.log_database import create_engine
from tests.patience import HANG_S, wait_until
from tests.serving.user_data.test_interaction_log import view

INSERT = """INSERT INTO interactions (interaction_id, user_id, item_id, event_type, timestamp, domain)
    VALUES ('slow', 'u', 'slow', 'view', 5, '')"""
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_mark_waits_for_recordings_that_have_a_position_and_are_not_committed(database_url: str) -> None:
    log = InteractionLog(database_url, timeout_s=HANG_S)
    log.record([view("u", "before")])
    with (
        psycopg.connect(database_url) as slow,
        psycopg.connect(database_url, autocommit=True) as watcher,
        ThreadPoolExecutor(1) as run,
    ):
        slow.execute(INSERT)
        log.record([view("u", "quick")])  # recordings do not wait for each other
        assert [each.item_id for each in log.since("u", 0)] == ["quick", "before"]
        mark = run.submit(log.mark, 100)
        wait_until(lambda: watcher.execute(WAITING).fetchone() == (1,))
        slow.commit()
        position = mark.result(HANG_S)
    exported = [row.item_id for batch in log.export(0, position) for row in batch]
    assert exported == ["before", "slow", "quick"]
    log.record([view("u", "after")])
    assert [each.item_id for each in log.since("u", 100)] == ["after"]
    log.close()


def test_neither_answers_nor_runs_depend_on_the_clock_of_a_recorder(database_url: str) -> None:
    log = InteractionLog(database_url)
    log.record([view("u", "before")])
    position = log.mark(100)
    log.record([view("u", "after")])
    with create_engine(database_url, 5).begin() as connection:
        connection.execute(sa.text("UPDATE interactions SET recorded_at = 0"))
    assert [each.item_id for each in log.since("u", 100)] == ["after"]
    exported = [row.item_id for batch in log.export(position, log.mark(200)) for row in batch]
    assert exported == ["after"]
    log.close()


def test_a_position_is_never_used_twice(database_url: str) -> None:
    log = InteractionLog(database_url)
    log.record([view("u", "deleted")])
    log.mark(100)
    with create_engine(database_url, 5).begin() as connection:
        connection.execute(sa.text("DELETE FROM interactions"))
    log.record([view("u", "after")])
    assert [each.item_id for each in log.since("u", 100)] == ["after"]
    log.close()
