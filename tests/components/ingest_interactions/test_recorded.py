"""The interaction log as a source: read from its watermark, with an overlap, joined by id."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from components.errors import StepError
from components.ingest_interactions import recorded
from components.ingest_interactions.warehouse import Warehouse
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


def test_what_was_recorded_joins_the_files(home: Any, url: str) -> None:
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


def test_a_log_that_does_not_exist_yet_holds_nothing_and_is_not_made(home: Any, url: str) -> None:
    home.ingest(interactions_file=home.write("log.csv", FILE), interaction_log=url)
    assert len(home.rows("interactions")) == 1
    assert not Path(url.removeprefix("sqlite:///")).exists()


def test_only_what_is_new_since_the_last_run_goes_in(
    home: Any, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    record(url, Interaction("r1", "ann", "milk", "view", NOW))
    home.ingest(interaction_log=url)
    record(url, Interaction("r2", "ann", "tea", "view", NOW + 1))
    capsys.readouterr()

    home.ingest(interaction_log=url)
    assert "interaction log: 1 new interactions" in capsys.readouterr().out
    home.ingest(interaction_log=url)

    assert [row["interaction_id"] for row in home.rows("interactions")] == ["r1", "r2"]
    assert [part.rows for part in Warehouse(str(home.warehouse)).watermarks.parts] == [1, 1]


def test_one_committed_late_is_found_within_the_overlap_and_not_before_it(home: Any, url: str) -> None:
    record(url, Interaction("r1", "ann", "milk", "view", NOW))
    watermark = home.ingest(interaction_log=url)
    record(
        url,
        Interaction("late", "ann", "tea", "view", NOW),
        Interaction("ancient", "ann", "film", "view", NOW),
    )
    set_recorded_at(url, "late", watermark - recorded.OVERLAP_US + 1_000_000)
    set_recorded_at(url, "ancient", watermark - recorded.OVERLAP_US - 1_000_000)

    home.ingest(interaction_log=url)

    assert {row["interaction_id"] for row in home.rows("interactions")} == {"r1", "late"}


def test_ties_are_ordered_by_id_as_serving_orders_them(home: Any, url: str) -> None:
    record(url, *(Interaction(name, "ann", name, "view", NOW) for name in ("c", "a", "b")))
    home.ingest(interaction_log=url)
    assert [row["interaction_id"] for row in home.rows("interactions")] == ["a", "b", "c"]


def test_a_killed_run_reads_the_log_again(home: Any, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert [path.name for path in home.warehouse.rglob("*.parquet")] == ["part-log-1.parquet"]


def test_passwords_stay_out_of_the_watermarks() -> None:
    assert recorded.name("postgresql://shop:secret@db/log") == "postgresql://shop:***@db/log"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("no url", r"URL can't be read; expected sqlite:///FILE or postgresql"),
        ("mysql://host/db", r"expected sqlite:///FILE or postgresql"),
    ],
)
def test_a_log_that_is_none(home: Any, url: str, message: str) -> None:
    with pytest.raises(StepError, match=message):
        home.ingest(interactions_file=home.write("log.csv", FILE), interaction_log=url)


def test_a_damaged_log_is_said_plainly(home: Any, url: str) -> None:
    home.write("log.sqlite", "this is no database at all, and it is long enough to be seen as damaged" * 20)
    with pytest.raises(StepError, match="interaction log can't be ingested"):
        home.ingest(interactions_file=home.write("log.csv", FILE), interaction_log=url)
