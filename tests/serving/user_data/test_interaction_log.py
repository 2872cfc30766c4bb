"""The interaction log on SQLite and PostgreSQL: durable, idempotent, concurrent, and its errors."""

import math
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from feature_repo.contract import MAX_HISTORY, MAX_SEEN_BEFORE
from feature_repo.interaction import Interaction
from serving.errors import AlreadyExists, Unavailable
from serving.user_data import log_statements
from serving.user_data.interaction_log import InteractionLog
from serving.user_data.log_database import create_engine
from tests.patience import HANG_S

# Records argv[3] interactions of user argv[2], and prints each id when record() has returned.
WRITER = """
import sys
from feature_repo.interaction import Interaction
from serving.user_data.interaction_log import InteractionLog

url, user, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
log = InteractionLog(url, timeout_s=1800)
for number in range(count):
    interaction = Interaction(f"{user}-{number}", user, f"item-{number}", "view", number)
    log.record([interaction])
    if number % 5 == 0:
        log.record([interaction])
    print(interaction.interaction_id, flush=True)
"""


@pytest.fixture
def log(database_url: str) -> Iterator[InteractionLog]:
    log = InteractionLog(database_url)
    yield log
    log.close()


def view(user: str, item: str = "a", timestamp: int = 1, **others: object) -> Interaction:
    fields = {"interaction_id": uuid.uuid4().hex, "event_type": "view", **others}
    return Interaction(user_id=user, item_id=item, timestamp=timestamp, **fields)  # type: ignore[arg-type]


def writer(url: str, user: str, count: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WRITER, url, user, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3])


def test_recordings_of_all_sizes_are_stored_whole_with_short_statements(
    log: InteractionLog, inserts: set[str]
) -> None:
    for size in range(200, 0, -7):
        assert log.record([view("u", timestamp=number) for number in range(size)]) == size
    assert max(statement.count("), (") for statement in inserts) < 50  # one fewer than rows


def test_since_returns_interactions_unchanged(log: InteractionLog) -> None:
    user = uuid.uuid4().hex
    rated = view(user, "émile 🎬", 1_700_000_000_000_001, event_type="rate", value=4.5, domain="films")
    plain = view(user, "b", 2)
    assert log.record([rated, plain]) == 2
    by_item = {interaction.item_id: interaction for interaction in log.since(user, 0)}
    assert by_item["émile 🎬"] == rated
    assert math.isnan(by_item["b"].value)
    assert by_item["b"].domain == ""


def test_record_ignores_a_repeated_interaction(log: InteractionLog) -> None:
    user = uuid.uuid4().hex
    first = view(user, "a")
    assert log.record([first, first]) == 1
    assert log.record([first, view(user, "c")]) == 1
    assert {interaction.item_id for interaction in log.since(user, 0)} == {"a", "c"}


def test_another_interaction_under_a_recorded_id_is_rejected_with_its_call(log: InteractionLog) -> None:
    first = view("u", "a", 1, event_type="rate", value=3.0, domain="films", interaction_id="1")
    log.record([first])
    others = {
        "user_id": "v",
        "item_id": "b",
        "timestamp": 2,
        "event_type": "view",
        "value": 4.0,
        "domain": "",
    }
    for field, value in [*others.items(), ("value", math.nan)]:
        other = replace(first, **{field: value})  # type: ignore[arg-type]
        with pytest.raises(
            AlreadyExists, match=rf"interactions\[1\]\.{field}: interaction_id '1' is that of"
        ):
            log.record([view("u", "new"), other])
        with pytest.raises(AlreadyExists, match=rf"interactions\[2\]\.{field}"):
            log.record([view("u"), replace(first, interaction_id="2"), replace(other, interaction_id="2")])
    assert [each.item_id for each in log.since("u", 0)] == ["a"]
    assert log.since("v", 0) == []


def test_a_retry_may_have_another_time_if_the_service_set_it(log: InteractionLog) -> None:
    log.record([view("u", timestamp=1, interaction_id="1")], ["1"])
    assert log.record([view("u", timestamp=2, interaction_id="1")], ["1"]) == 0
    with pytest.raises(AlreadyExists, match="timestamp"):
        log.record([view("u", timestamp=2, interaction_id="1")])


def test_since_returns_what_was_recorded_after_the_mark_of_a_snapshot(log: InteractionLog) -> None:
    log.record([view("u", "early", timestamp=9)])
    position = log.mark(100)
    log.record([view("u", "late", timestamp=3), view("v", "other")])
    assert [interaction.item_id for interaction in log.since("u", 100)] == ["late"]
    assert (log.position(100), log.position(99)) == (position, None)
    assert [interaction.item_id for interaction in log.since("u", 0)] == ["late", "early"]


def test_a_snapshot_lacks_what_clients_whose_clocks_are_ahead_had_recorded(log: InteractionLog) -> None:
    now = time.time_ns() // 1000
    for user, item, timestamp in (
        ("ahead", "before", now - 2),
        ("exact", "before", now - 2),
        ("ahead", "later", now),
        ("ahead", "after", now - 1),
    ):
        log.record([view(user, item, timestamp=timestamp)])
    log.mark(now)
    assert {interaction.item_id for interaction in log.since("ahead", now)} == {"later", "after"}
    assert log.since("exact", now) == []


def test_export_yields_everything_between_two_positions_in_batches(log: InteractionLog) -> None:
    log.record([view("before")])
    start = log.mark(1)
    sent = [view(f"user-{number}") for number in range(25)]
    for interaction in sent:
        log.record([interaction])
    end = log.mark(2)
    log.record([view("after")])
    batches = list(log.export(start, end, batch_size=10))
    assert [len(batch) for batch in batches] == [10, 10, 5]
    assert [row.interaction_id for batch in batches for row in batch] == [row.interaction_id for row in sent]


def test_a_busy_user_is_read_in_three_limited_parts(log: InteractionLog) -> None:
    count = MAX_HISTORY + MAX_SEEN_BEFORE + 50
    log.record([view("u", "old", timestamp=10_000)])
    log.mark(20_000)
    sent = [view("u", f"i{n}", timestamp=count - n) for n in range(count)]
    for start in range(0, count, 500):
        log.record(sent[start : start + 500])
    recorded = log.since("u", 20_000)
    assert len(recorded) == MAX_HISTORY + 1
    assert log.since_ids("u", 20_000).split("\n") == [each.interaction_id for each in recorded]
    newest = sorted(log.newest("u", 20_000), key=lambda each: -each.timestamp)
    assert [each.item_id for each in newest] == [f"i{n}" for n in range(MAX_HISTORY - 1)]  # and "old"
    assert len(log.new_items("u", 20_000)) == MAX_HISTORY + MAX_SEEN_BEFORE + 1


@pytest.mark.parametrize("name", ["SINCE", "SINCE_IDS", "NEW_ITEMS", "NEWEST", "IMPRESSIONS"])
def test_what_an_answer_reads_is_found_by_an_index(tmp_path: Path, name: str) -> None:
    log = InteractionLog(f"sqlite:///{tmp_path}/log.db")
    log.record([view("u")])
    text = log_statements.for_sqlite3(getattr(log_statements, name))
    parameters = {"user": "u", "as_of": 1, "after": 0}
    with sqlite3.connect(tmp_path / "log.db") as database:
        steps = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {text}", parameters)]
    database.close()
    assert not [step for step in steps if "SCAN interactions" in step or "FOR ORDER BY" in step]
    reads = [step for step in steps if step.startswith("SEARCH interactions USING")]
    assert reads
    if name != "NEWEST":  # reads at most 200 rows of the table
        assert all("COVERING INDEX" in step for step in reads)


def test_concurrent_writers_lose_and_duplicate_nothing(database_url: str, log: InteractionLog) -> None:
    users = [uuid.uuid4().hex for _ in range(4)]
    processes = [writer(database_url, user, 80) for user in users]
    assert [process.wait(HANG_S) for process in processes] == [0] * 4
    for user in users:
        recorded = sorted(interaction.timestamp for interaction in log.since(user, 0))
        assert recorded == list(range(80))


def test_killing_a_writer_loses_no_acknowledged_interaction(database_url: str, log: InteractionLog) -> None:
    user = uuid.uuid4().hex
    with writer(database_url, user, 1_000_000) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline().strip() for _ in range(30)]
        process.kill()
        acknowledged += process.stdout.read().split("\n")[:-1]
    recorded = {interaction.interaction_id for interaction in log.since(user, 0)}
    assert len(acknowledged) >= 30
    assert set(acknowledged) <= recorded


def test_record_fails_while_the_database_is_locked(tmp_path: Path) -> None:
    log = InteractionLog(f"sqlite:///{tmp_path}/log.db", timeout_s=0.05)
    log.record([view("u")])
    with sqlite3.connect(tmp_path / "log.db") as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match=r"log\.db can't record: database is locked"):
            log.record([view("u")])
        assert len(log.since("u", 0)) == 1  # WAL: readers do not wait for a writer
    assert log.record([view("u")]) == 1


def test_record_works_once_the_database_can_be_opened(tmp_path: Path) -> None:
    (tmp_path / "log.db").mkdir()
    log = InteractionLog(f"sqlite:///{tmp_path}/log.db")
    with pytest.raises(Unavailable, match="unable to open database file"):
        log.since("u", 0)
    (tmp_path / "log.db").rmdir()
    assert log.record([view("u")]) == 1


def test_the_error_of_an_unreachable_postgresql_hides_the_password() -> None:
    log = InteractionLog("postgresql://someone:secret@127.0.0.1:1/log", timeout_s=1)
    with pytest.raises(Unavailable, match=r"someone:\*\*\*@127\.0\.0\.1:1") as caught:
        log.record([view("u")])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["mysql://someone:secret@host/log", "not a url", "oracle-x://h"])
def test_other_databases_are_rejected_without_showing_the_password(url: str) -> None:
    with pytest.raises(ValueError, match="expected sqlite:///FILE or postgresql://") as caught:
        InteractionLog(url)
    assert "secret" not in str(caught.value)


def test_impressions_and_since_separate_impressions_from_other_events(log: InteractionLog) -> None:
    user, start = uuid.uuid4().hex, time.time_ns() // 1000 - 1000  # SQLite's clock has milliseconds
    shown = [view(user, "b", event_type="impression", interaction_id=f"{n}-{user}") for n in range(3)]
    log.record([view(user, "a"), view("other", "c", event_type="impression"), *shown])
    assert [interaction.item_id for interaction in log.since(user, 0)] == ["a"]
    assert log.impressions(user, start) == [("b", 3)]
    assert log.impressions(user, start + 3_600_000_000) == []
    rows = [row for batch in log.export(0, log.mark(1)) for row in batch]
    assert {row.event_type for row in rows} == {"view", "impression"}


def test_max_read_s_is_finite_only_for_a_file_with_the_table(tmp_path: Path) -> None:
    log = InteractionLog(f"sqlite:///{tmp_path}/log.db")
    assert log.max_read_s == math.inf
    log.since("u", 0)
    assert log.max_read_s < 0.1
    for file in tmp_path.glob("log.db*"):
        file.unlink()
    with pytest.raises(Unavailable):
        log.since("u", 0)
    assert log.max_read_s == math.inf
    assert log.since("u", 0) == []
    assert log.max_read_s < 0.1
    assert InteractionLog("postgresql://nobody@127.0.0.1:1/log").max_read_s == math.inf


def delete(log: Path) -> None:
    for file in log.parent.glob(f"{log.name}*"):
        file.unlink()


def test_since_reads_a_replaced_file(tmp_path: Path) -> None:
    log = InteractionLog(f"sqlite:///{tmp_path}/log.db")
    log.record([view("u", interaction_id="1")])
    assert len(log.since("u", 0)) == 1
    InteractionLog(f"sqlite:///{tmp_path}/other.db").record(
        [view("u", interaction_id="2"), view("u", interaction_id="3")]
    )
    delete(tmp_path / "log.db")
    for file in tmp_path.glob("other.db*"):
        file.rename(tmp_path / file.name.replace("other", "log"))
    assert {interaction.interaction_id for interaction in log.since("u", 0)} == {"2", "3"}


def test_what_is_recorded_after_the_file_was_deleted_is_in_a_new_file(tmp_path: Path) -> None:
    log = InteractionLog(f"sqlite:///{tmp_path}/log.db")
    log.record([view("u", interaction_id="1")])
    delete(tmp_path / "log.db")
    log.record([view("u", interaction_id="2")])
    another_process = InteractionLog(f"sqlite:///{tmp_path}/log.db")
    assert [each.interaction_id for each in another_process.since("u", 0)] == ["2"]


def test_a_file_deleted_before_the_commit_fails_the_recording(tmp_path: Path) -> None:
    log, commits = InteractionLog(f"sqlite:///{tmp_path}/log.db"), []
    log.record([view("u", interaction_id="1")])

    def delete_once(_: sa.Connection) -> None:
        commits.append(1)
        delete(tmp_path / "log.db")

    sa.event.listen(sa.Engine, "commit", delete_once)
    try:
        with pytest.raises(Unavailable, match="deleted or replaced during the recording"):
            log.record([view("u", interaction_id="2")])
    finally:
        sa.event.remove(sa.Engine, "commit", delete_once)
    assert commits == [1]
    assert log.record([view("u", interaction_id="2")]) == 1
    assert [each.interaction_id for each in log.since("u", 0)] == ["2"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_postgresql_finds_the_rows_of_a_busy_user_by_the_user(log: InteractionLog, database_url: str) -> None:
    for event_type in ("view", "impression"):
        log.record([view("u", event_type=event_type) for _ in range(1_000)])
    engine = create_engine(database_url, 5)
    given = {"user": "u", "as_of": 1, "after": 0}
    with engine.connect() as connection:
        connection.execute(sa.text("ANALYZE interactions"))
        connection.execute(sa.text("SET enable_seqscan = off"))  # the table is too small for an index
        for name in ("SINCE", "SINCE_IDS", "NEW_ITEMS", "IMPRESSIONS"):
            compiled = getattr(log_statements, name).compile(dialect=engine.dialect)
            constants = {key: value for key, value in compiled.params.items() if value is not None}
            rows = connection.exec_driver_sql(f"EXPLAIN {compiled}", constants | given).scalars()
            scans = [
                row for row in rows if "Index" in row and "snapshots" not in row and "earlier" not in row
            ]
            assert [scan for scan in scans if "s_of_user" in scan], name
            assert not [scan for scan in scans if "_pkey" in scan or "by_recorded_at" in scan], name
    engine.dispose()
