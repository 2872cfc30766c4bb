"""The interaction log as a source: read since the last run, without duplicates."""

import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from components.errors import StepError
from components.ingest_interactions.warehouse import recorded_interactions
from components.ingest_interactions.warehouse.manifest import Warehouse
from feature_repo.interaction import Interaction
from serving.user_data.interaction_log import InteractionLog

NOW = 1_700_000_000_000_000
FILE = f"user_id,item_id,timestamp,event_type\nann,tea,{NOW - 9},like\n"


@pytest.fixture
def url(home: Any) -> str:
    return f"sqlite:///{home.root}/log.sqlite"


def record(url: str, *interactions: Interaction) -> None:
    log = InteractionLog(url)
    log.record(interactions)
    log.close()


def set_recorded_at(url: str, interaction_id: str, moment: int) -> None:
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute(
            "UPDATE interactions SET recorded_at = ? WHERE interaction_id = ?", (moment, interaction_id)
        )
    connection.close()


def test_recorded_interactions_are_added_to_those_of_files(home: Any, url: str) -> None:
    record(
        url,
        Interaction("r1", "ann", "milk", "view", NOW),
        Interaction("r2", "eve", "film", "rate", NOW, 4.0, "cinema"),
    )
    as_of = home.ingest(interactions_file=home.write("log.csv", FILE), interaction_log=url)

    rows = {row["interaction_id"]: row for row in home.rows("interactions")}
    assert len(rows) == 3
    assert rows["r1"]["value"] is None
    assert rows["r1"]["domain"] is None
    assert (rows["r2"]["value"], rows["r2"]["domain"], rows["r2"]["event_type"]) == (4.0, "cinema", "rate")
    assert Warehouse(str(home.warehouse)).watermarks.log == {url: as_of}


def test_a_missing_log_is_empty_and_is_not_created(home: Any, url: str) -> None:
    home.ingest(interactions_file=home.write("log.csv", FILE), interaction_log=url)
    assert len(home.rows("interactions")) == 1
    assert not Path(url.removeprefix("sqlite:///")).exists()


def test_only_interactions_since_the_last_run_are_added(
    home: Any, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    record(url, Interaction("r1", "ann", "milk", "view", NOW))
    home.ingest(interaction_log=url)
    record(url, Interaction("r2", "ann", "tea", "view", NOW + 1))
    capsys.readouterr()

    home.ingest(interaction_log=url)
    assert "interaction log: 1 new interaction\n" in capsys.readouterr().out
    home.ingest(interaction_log=url)

    assert [row["interaction_id"] for row in home.rows("interactions")] == ["r1", "r2"]
    assert [part.rows for part in Warehouse(str(home.warehouse)).watermarks.parts] == [1, 1]


def test_the_clocks_of_the_recorders_do_not_decide_what_a_run_reads(home: Any, url: str) -> None:
    record(url, Interaction("r1", "ann", "milk", "view", NOW))
    home.ingest(interaction_log=url)
    record(url, Interaction("r2", "ann", "tea", "view", NOW))
    set_recorded_at(url, "r2", 1)
    home.ingest(interaction_log=url)
    assert {row["interaction_id"] for row in home.rows("interactions")} == {"r1", "r2"}


def test_a_log_that_was_replaced_is_read_as_a_whole_and_doubles_nothing(home: Any, url: str) -> None:
    record(url, *(Interaction(f"r{n}", "ann", "milk", "view", NOW) for n in range(3)))
    home.ingest(interaction_log=url)
    for file in home.root.glob("log.sqlite*"):
        file.unlink()
    record(url, Interaction("r1", "ann", "milk", "view", NOW), Interaction("r3", "ann", "tea", "view", NOW))
    home.ingest(interaction_log=url)
    assert [row["interaction_id"] for row in home.rows("interactions")] == ["r0", "r1", "r2", "r3"]


def test_equal_times_are_ordered_by_id_as_in_serving(home: Any, url: str) -> None:
    record(url, *(Interaction(name, "ann", name, "view", NOW) for name in ("c", "a", "b")))
    home.ingest(interaction_log=url)
    assert [row["interaction_id"] for row in home.rows("interactions")] == ["a", "b", "c"]


def test_the_log_is_read_again_after_a_killed_run(
    home: Any, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(url, Interaction("r1", "ann", "milk", "view", NOW))

    def killed(self: Warehouse) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Warehouse, "commit", killed)
        with pytest.raises(KeyboardInterrupt):
            home.ingest(interaction_log=url)
    record(url, Interaction("r2", "ann", "tea", "view", NOW + 1))
    home.ingest(interaction_log=url)

    assert [row["interaction_id"] for row in home.rows("interactions")] == ["r1", "r2"]
    assert [path.name for path in home.warehouse.rglob("*.parquet")] == ["part-1.parquet"]


def test_watermarks_have_no_passwords() -> None:
    assert recorded_interactions.name("postgresql://shop:secret@db/log") == "postgresql://shop:***@db/log"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("no url", r"URL of the interaction log is invalid; expected sqlite:///FILE or postgresql"),
        ("mysql://host/db", r"expected sqlite:///FILE or postgresql"),
    ],
)
def test_an_unsupported_log_is_rejected(home: Any, url: str, message: str) -> None:
    with pytest.raises(StepError, match=message):
        home.ingest(interactions_file=home.write("log.csv", FILE), interaction_log=url)


def test_a_damaged_log_is_an_error_with_its_url(home: Any, url: str) -> None:
    home.write("log.sqlite", "this is no database at all, and it is long enough to be seen as damaged" * 20)
    with pytest.raises(StepError, match=r"recorded interactions can't be read: .* sqlite:.*log.sqlite"):
        home.ingest(interactions_file=home.write("log.csv", FILE), interaction_log=url)


def test_searches_are_added_once(home: Any, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    record(url, Interaction("s1", "ann", "", "search", NOW, query="green tea"))
    for _ in range(2):
        home.ingest(interactions_file=home.write("log.csv", FILE), interaction_log=url)
    assert "interaction log: nothing new" in capsys.readouterr().out
    rows = {row["interaction_id"]: row for row in home.rows("interactions")}
    assert (rows["s1"]["item_id"], rows["s1"]["query"]) == (None, "green tea")
    assert len(rows) == 2
    assert [row["item_id"] for row in home.rows("items")] == ["tea"]


def test_recorded_interactions_out_of_bounds_or_with_a_taken_id_are_left_out_and_told(
    home: Any, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = f"interaction_id,user_id,item_id,timestamp\n7,ann,tea,{NOW}\n"
    home.ingest(interactions_file=home.write("log.csv", file))
    future = time.time_ns() // 1000 + 7_200_000_000
    record(
        url,
        Interaction("7", "eve", "spam", "view", NOW),
        Interaction("a", "eve", "spam", "view", 0),
        Interaction("b", "eve", "spam", "view", future),
        Interaction("c", "eve\n", "spam", "view", NOW),
        Interaction("d", "eve", "spam", "view", NOW, 1e13),
        Interaction("e", "eve", "tea", "view", NOW),
    )
    home.ingest(interaction_log=url)
    kept = {row["interaction_id"]: row["user_id"] for row in home.rows("interactions")}
    assert kept == {"7": "ann", "e": "eve"}
    told = [line for line in capsys.readouterr().out.splitlines() if "left out" in line]
    reasons = (
        "another interaction has the same id",
        "before 1990",
        "future",
        "control char",
        "within ±1e+12",
    )
    assert [any(reason in line for line in told) for reason in reasons] == [True] * 5
