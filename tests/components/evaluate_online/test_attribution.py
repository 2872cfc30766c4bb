"""Which place of which answer an interaction belongs to."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from duckdb import DuckDBPyConnection

from components.evaluate_online.attribution import AttributedEvents, Touch, attribute
from components.evaluate_online.recorded_window import read_window
from components.ingest_interactions.duckdb_session import connect
from components.ingest_interactions.warehouse.manifest import Warehouse
from feature_repo.interaction import Interaction
from serving.exposures.exposure import Exposure
from tests.components.evaluate_online.shown_world import event, write_log
from tests.serving.exposures.exposures import exposure

HOUR_S = 3600
S = 1_000_000
NO_WAREHOUSE = Warehouse("/no/warehouse")


@pytest.fixture
def connection() -> Iterator[DuckDBPyConnection]:
    with connect() as opened:
        yield opened


def attributed(
    connection: DuckDBPyConnection,
    root: Path,
    shown: Sequence[Exposure],
    events: Sequence[Interaction],
    touch: Touch = "last",
) -> tuple[AttributedEvents, set[tuple[str, str]]]:
    """Return the counts, and the (interaction id, request id) of the attributed ones."""
    url = write_log(root, shown, events)
    now = time.time_ns() // 1000 + 1
    recorded = read_window(url, NO_WAREHOUSE, 0, now, now, root)
    counts = attribute(connection, recorded, HOUR_S * S, touch)
    found = connection.execute(
        "SELECT interaction_id, answers.request_id FROM attributed JOIN answers USING (answer)"
    )
    return counts, set(found.fetchall())


SHOWN = [
    exposure("early", "u", ["a", "b"], 1 * S),
    exposure("late", "u", ["a", "c"], 100 * S),
    exposure("other", "v", ["a"], 100 * S),
    exposure("visit", "", ["a"], 100 * S),
]


def test_a_request_id_decides_and_an_unknown_one_attributes_nothing(
    connection: DuckDBPyConnection, tmp_path: Path
) -> None:
    events = [
        event(1, "u", "a", 200, request_id="early"),
        event(2, "u", "a", 9 * HOUR_S, request_id="early"),  # whenever it happened
        event(3, "u", "c", 200, request_id="early"),  # not shown there
        event(4, "v", "a", 200, request_id="late"),  # another user's answer
        event(5, "u", "a", 300, request_id="not recorded"),
        event(6, "v", "a", 400, request_id="visit"),  # who was anonymous
    ]
    counts, found = attributed(connection, tmp_path, SHOWN, events)
    assert found == {("e1", "early"), ("e2", "early"), ("e6", "visit")}
    assert (counts.by_request, counts.by_time, counts.unattributed) == (3, 0, 3)


@pytest.mark.parametrize(("touch", "answer"), [("last", "late"), ("first", "early")])
def test_without_a_request_id_the_window_and_the_touch_decide(
    connection: DuckDBPyConnection, tmp_path: Path, touch: Touch, answer: str
) -> None:
    events = [
        event(1, "u", "a", 200),
        event(2, "u", "b", 0.5),  # before it was shown
        event(3, "u", "b", 1 + HOUR_S),
        event(4, "u", "c", 101 + HOUR_S),  # after the window
        event(5, "u", "d", 200),  # never shown
        event(6, "w", "a", 200),  # to others only
    ]
    counts, found = attributed(connection, tmp_path, SHOWN, events, touch)
    assert found == {("e1", answer), ("e3", "early")}
    assert (counts.by_request, counts.by_time, counts.unattributed) == (0, 2, 4)


def test_duplicates_and_bots_are_left_out_as_in_training(
    connection: DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doubled = [event(number, "u", "a", 200 + number / 10, request_id="late") for number in range(3)]
    bot = [event(10 + number, "v", f"i{number}", 200 + number / 1000) for number in range(2_002)]
    counts, found = attributed(connection, tmp_path, SHOWN, [*doubled, *bot])
    assert (counts.duplicates, counts.bots, counts.bot_users) == (2, 2_002, 1)
    assert found == {("e0", "late")}
    users = connection.execute("SELECT DISTINCT user_id FROM answers").fetchall()
    assert sorted(users) == [("",), ("u",)]


def test_of_answers_to_the_same_request_the_last_one_counts(
    connection: DuckDBPyConnection, tmp_path: Path
) -> None:
    shown = [exposure("r", "u", ["a"], 1 * S), exposure("r", "u", ["b"], 2 * S)]
    _, found = attributed(connection, tmp_path, shown, [event(1, "u", "a", 3), event(2, "u", "b", 3)])
    assert found == {("e2", "r")}


def test_outcomes_of_a_place(connection: DuckDBPyConnection, tmp_path: Path) -> None:
    shown = [exposure("r", "u", ["a", "b", "c", "d"], 1 * S)]
    did: list[tuple[str, str, Any]] = [
        ("a", "click", None),
        ("a", "view", 12.0),
        ("a", "view", 8.0),
        ("a", "purchase", 30.0),
        ("b", "hide", None),
        ("c", "useful", None),
        ("d", "not_useful", None),
        ("d", "rate", 4.0),
        ("d", "impression", None),
    ]
    events = [
        event(number, "u", item, 10 * number + 2, kind, "r", float("nan") if value is None else value)
        for number, (item, kind, value) in enumerate(did)
    ]
    attributed(connection, tmp_path, shown, events)
    columns = "clicked, converted, dismissed, dwell, dwells, rating, ratings, useful, judged"
    rows = connection.execute(f"SELECT place, {columns} FROM places ORDER BY place").fetchall()
    assert rows == [
        (1, 1, 1, 0, 20.0, 2, 0.0, 0, 0, 0),
        (2, 0, 0, 1, 0.0, 0, 0.0, 0, 0, 0),
        (3, 0, 0, 0, 0.0, 0, 0.0, 0, 1, 1),
        (4, 0, 0, 0, 0.0, 0, 4.0, 1, 0, 1),
    ]


def test_a_window_that_holds_nothing_is_refused(tmp_path: Path) -> None:
    url = write_log(tmp_path, SHOWN, [])
    with pytest.raises(ValueError, match=r"no answer was recorded from 1970-01-01 01:00 UTC to .*--days"):
        read_window(url, NO_WAREHOUSE, HOUR_S * S, 2 * HOUR_S * S, 2 * HOUR_S * S, tmp_path)
    with pytest.raises(ValueError, match="there is no interaction log"):
        read_window(f"sqlite:///{tmp_path}/none.db", NO_WAREHOUSE, 0, 1, 1, tmp_path)
