"""The interaction log on SQLite and PostgreSQL: durable, idempotent, concurrent, and its errors."""

import math
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from feature_repo.interaction import Interaction
from serving.errors import Unavailable
from serving.user_data.interaction_log import InteractionLog
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


def test_since_returns_interactions_unchanged(log: InteractionLog) -> None:
    user = uuid.uuid4().hex
    rated = view(user, "émile 🎬", 1_700_000_000_000_001, event_type="rate", value=4.5, domain="films")
    plain = view(user, "b", 2)
    assert log.record([rated, plain]) == 2
    by_item = {interaction.item_id: interaction for interaction in log.since(user, 0)}
    assert by_item["émile 🎬"] == rated
    assert math.isnan(by_item["b"].value)
    assert by_item["b"].domain == ""


def test_record_ignores_a_repeated_interaction_id(log: InteractionLog) -> None:
    user = uuid.uuid4().hex
    first = view(user, "a")
    assert log.record([first, first]) == 1
    again = view(user, "b", interaction_id=first.interaction_id)
    assert log.record([again, view(user, "c")]) == 1
    assert {interaction.item_id for interaction in log.since(user, 0)} == {"a", "c"}


def test_since_selects_by_time_of_recording_and_user(log: InteractionLog) -> None:
    user = uuid.uuid4().hex
    log.record([view(user, "early", timestamp=9)])
    between = time.time_ns() // 1000
    log.record([view(user, "late", timestamp=3), view(uuid.uuid4().hex, "other")])
    assert [interaction.item_id for interaction in log.since(user, between)] == ["late"]


def test_export_yields_everything_recorded_later_in_batches(log: InteractionLog) -> None:
    log.record([view("before")])
    start = time.time_ns() // 1000
    sent = [view(f"user-{number}") for number in range(25)]
    for interaction in sent:
        log.record([interaction])
    batches = list(log.export(start, batch_size=10))
    assert [len(batch) for batch in batches] == [10, 10, 5]
    assert {row.interaction_id for batch in batches for row in batch} == {row.interaction_id for row in sent}


def test_concurrent_writers_lose_and_duplicate_nothing(database_url: str, log: InteractionLog) -> None:
    users = [uuid.uuid4().hex for _ in range(8)]
    processes = [writer(database_url, user, 40) for user in users]
    assert [process.wait(HANG_S) for process in processes] == [0] * 8
    for user in users:
        recorded = sorted(interaction.timestamp for interaction in log.since(user, 0))
        assert recorded == list(range(40))


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
    user, start = uuid.uuid4().hex, time.time_ns() // 1000
    log.record(
        [
            view(user, "a"),
            view(user, "b", event_type="impression"),
            view("other", "c", event_type="impression"),
        ]
    )
    assert [interaction.item_id for interaction in log.since(user, 0)] == ["a"]
    assert [item for item, _ in log.impressions(user, start - 1)] == ["b"]
    assert log.impressions(user, time.time_ns() // 1000 + 1) == []
    assert {row.event_type for batch in log.export(start - 1) for row in batch} == {"view", "impression"}


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
    assert InteractionLog("postgresql://nobody@127.0.0.1:1/log").max_read_s == math.inf


def test_since_reads_a_replaced_file(tmp_path: Path) -> None:
    log = InteractionLog(f"sqlite:///{tmp_path}/log.db")
    log.record([view("u", interaction_id="1")])
    assert len(log.since("u", 0)) == 1
    InteractionLog(f"sqlite:///{tmp_path}/other.db").record(
        [view("u", interaction_id="2"), view("u", interaction_id="3")]
    )
    for file in tmp_path.glob("log.db*"):
        file.unlink()
    for file in tmp_path.glob("other.db*"):
        file.rename(tmp_path / file.name.replace("other", "log"))
    assert {interaction.interaction_id for interaction in log.since("u", 0)} == {"2", "3"}
