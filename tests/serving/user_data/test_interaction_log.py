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

# Records one interaction a line for user argv[2] and prints its id once it is acknowledged.
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


def view(user: str, item: str = "a", timestamp: int = 1, **given: object) -> Interaction:
    fields = {"interaction_id": uuid.uuid4().hex, "event_type": "view", **given}
    return Interaction(user_id=user, item_id=item, timestamp=timestamp, **fields)  # type: ignore[arg-type]


def writer(url: str, user: str, count: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WRITER, url, user, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3])


def test_what_is_recorded_comes_back_whole(log: InteractionLog) -> None:
    user = uuid.uuid4().hex
    rated = view(user, "émile 🎬", 1_700_000_000_000_001, event_type="rate", value=4.5, domain="films")
    plain = view(user, "b", 2)
    assert log.record([rated, plain]) == 2
    by_item = {interaction.item_id: interaction for interaction in log.since(user, 0)}
    assert by_item["émile 🎬"] == rated
    assert math.isnan(by_item["b"].value)
    assert by_item["b"].domain == ""


def test_a_repeated_interaction_id_is_a_no_op_and_the_first_stays(log: InteractionLog) -> None:
    user = uuid.uuid4().hex
    first = view(user, "a")
    assert log.record([first, first]) == 1
    again = view(user, "b", interaction_id=first.interaction_id)
    assert log.record([again, view(user, "c")]) == 1
    assert {interaction.item_id for interaction in log.since(user, 0)} == {"a", "c"}


def test_since_goes_by_the_moment_of_recording_and_by_user(log: InteractionLog) -> None:
    user = uuid.uuid4().hex
    log.record([view(user, "early", timestamp=9)])
    between = time.time_ns() // 1000
    log.record([view(user, "late", timestamp=3), view(uuid.uuid4().hex, "other")])
    assert [interaction.item_id for interaction in log.since(user, between)] == ["late"]


def test_export_streams_everything_recorded_after_in_batches(log: InteractionLog) -> None:
    log.record([view("before")])
    start = time.time_ns() // 1000
    sent = [view(f"user-{number}") for number in range(25)]
    for interaction in sent:
        log.record([interaction])
    batches = list(log.export(start, batch_size=10))
    assert [len(batch) for batch in batches] == [10, 10, 5]
    assert {row.interaction_id for batch in batches for row in batch} == {row.interaction_id for row in sent}


def test_eight_concurrent_writers_lose_and_duplicate_nothing(database_url: str, log: InteractionLog) -> None:
    users = [uuid.uuid4().hex for _ in range(8)]
    processes = [writer(database_url, user, 40) for user in users]
    assert [process.wait(HANG_S) for process in processes] == [0] * 8
    for user in users:
        recorded = sorted(interaction.timestamp for interaction in log.since(user, 0))
        assert recorded == list(range(40))


def test_kill_9_of_a_writer_loses_nothing_acknowledged(database_url: str, log: InteractionLog) -> None:
    user = uuid.uuid4().hex
    with writer(database_url, user, 1_000_000) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline().strip() for _ in range(30)]
        process.kill()
        acknowledged += process.stdout.read().split("\n")[:-1]
    recorded = {interaction.interaction_id for interaction in log.since(user, 0)}
    assert len(acknowledged) >= 30
    assert set(acknowledged) <= recorded


def test_a_locked_log_says_so_and_heals(tmp_path: Path) -> None:
    log = InteractionLog(f"sqlite:///{tmp_path}/log.db", timeout_s=0.05)
    log.record([view("u")])
    with sqlite3.connect(tmp_path / "log.db") as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match=r"log\.db can't record: database is locked"):
            log.record([view("u")])
        assert len(log.since("u", 0)) == 1  # a reader goes on beside a writer
    assert log.record([view("u")]) == 1


def test_a_database_that_was_down_is_found_again(tmp_path: Path) -> None:
    (tmp_path / "log.db").mkdir()
    log = InteractionLog(f"sqlite:///{tmp_path}/log.db")
    with pytest.raises(Unavailable, match="unable to open database file"):
        log.since("u", 0)
    (tmp_path / "log.db").rmdir()
    assert log.record([view("u")]) == 1


def test_a_postgresql_that_is_down_is_unavailable_and_keeps_its_password() -> None:
    log = InteractionLog("postgresql://someone:secret@127.0.0.1:1/log", timeout_s=1)
    with pytest.raises(Unavailable, match=r"someone:\*\*\*@127\.0\.0\.1:1") as caught:
        log.record([view("u")])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["mysql://someone:secret@host/log", "not a url", "oracle-x://h"])
def test_another_kind_of_database_is_refused_with_what_is_allowed(url: str) -> None:
    with pytest.raises(ValueError, match="expected sqlite:///FILE or postgresql://") as caught:
        InteractionLog(url)
    assert "secret" not in str(caught.value)


def test_impressions_are_counted_apart_from_what_somebody_did(log: InteractionLog) -> None:
    user, start = uuid.uuid4().hex, time.time_ns() // 1000
    log.record(
        [
            view(user, "a"),
            view(user, "b", event_type="impression"),
            view("other", "c", event_type="impression"),
        ]
    )
    assert [found.item_id for found in log.since(user, 0)] == ["a"]
    assert [item for item, _ in log.shown(user, start - 1)] == ["b"]
    assert log.shown(user, time.time_ns() // 1000 + 1) == []
    assert {found.event_type for batch in log.export(start - 1) for found in batch} == {"view", "impression"}


def test_only_a_file_that_is_known_to_be_sound_promises_to_answer_soon(tmp_path: Path) -> None:
    log = InteractionLog(f"sqlite:///{tmp_path}/log.db")
    assert log.gives_up_after_s == math.inf
    log.since("u", 0)
    assert log.gives_up_after_s < 0.1
    for file in tmp_path.glob("log.db*"):
        file.unlink()
    with pytest.raises(Unavailable):
        log.since("u", 0)
    assert log.gives_up_after_s == math.inf
    assert log.since("u", 0) == []
    assert InteractionLog("postgresql://nobody@127.0.0.1:1/log").gives_up_after_s == math.inf


def test_another_file_at_the_place_is_read_without_a_restart(tmp_path: Path) -> None:
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
    assert {found.interaction_id for found in log.since("u", 0)} == {"2", "3"}
