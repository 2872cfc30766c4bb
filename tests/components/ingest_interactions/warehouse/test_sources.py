"""Sources: new content of a source replaces its rows, other sources add up, and no row gets lost."""

import json
from pathlib import Path
from typing import Any

import pytest

from components.errors import StepError
from components.ingest_interactions.incoming_sources import place, source_name
from components.ingest_interactions.warehouse.manifest import Warehouse
from feature_repo.interaction import Interaction
from serving.user_data.interaction_log import InteractionLog

DAY = 1_700_000_000
HEADER = "user_id,item_id,timestamp\n"
ROWS = [f"ann,tea,{DAY}", f"ann,milk,{DAY + 5}", f"bob,tea,{DAY + 1}", f"bob,cake,{DAY + 7}"]


def table(rows: list[str], header: str = HEADER) -> str:
    return header + "".join(f"{row}\n" for row in rows)


def pairs(home: Any) -> set[tuple[str, str]]:
    return {(row["user_id"], row["item_id"]) for row in home.rows("interactions")}


def parts(home: Any) -> list[tuple[str, int]]:
    return [(part.source, part.rows) for part in Warehouse(str(home.warehouse)).listed()]


def files(home: Any) -> list[str]:
    return sorted(path.name for path in home.warehouse.rglob("*.parquet"))


class TestNewContent:
    def test_a_corrected_file_takes_the_wrong_rows_back(
        self, home: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        home.ingest(interactions_file=home.write("log.csv", table([*ROWS, f"bob,wrong,{DAY + 9}"])))
        with pytest.raises(
            StepError, match=r"has 4 interactions, and would replace 5; expected at least 90%"
        ):
            home.ingest(interactions_file=home.write("log.csv", table(ROWS)))
        home.ingest(interactions_file=home.write("log.csv", table(ROWS)), accept_smaller=True)

        assert pairs(home) == {("ann", "tea"), ("ann", "milk"), ("bob", "tea"), ("bob", "cake")}
        assert parts(home) == [("log.csv", 4)]
        assert "4 interactions read; they replace 5: 0 new, 1 withdrawn" in capsys.readouterr().out
        assert files(home) == ["part-2.parquet"], "the replaced part was not deleted"

    def test_a_file_that_grew_brings_its_new_rows(
        self, home: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        home.ingest(interactions_file=home.write("log.csv", table(ROWS)))
        home.ingest(interactions_file=home.write("log.csv", table([*ROWS, f"eve,tea,{DAY + 9}"])))
        assert "5 interactions read; they replace 4: 1 new, 0 withdrawn" in capsys.readouterr().out
        assert len(home.rows("interactions")) == 5

    def test_local_times_that_get_their_zone_are_not_doubled(self, home: Any) -> None:
        local = "user_id,item_id,timestamp\nann,tea,2024-07-01 12:00:00\nbob,tea,2024-07-01 13:00:00\n"
        home.ingest(interactions_file=home.write("log.csv", local))
        home.ingest(interactions_file=home.write("log.csv", local.replace("00\n", "00+02:00\n")))
        assert [row["timestamp"].hour for row in home.rows("interactions")] == [10, 11]

    def test_an_option_reads_the_same_content_again(self, home: Any) -> None:
        file = home.write("log.csv", "user_id,item_id,timestamp\nann,tea,2024-07-01 12:00:00\n")
        home.ingest(interactions_file=file)
        home.ingest(interactions_file=file, reading={"timezone": "Europe/Paris"})
        assert [row["timestamp"].hour for row in home.rows("interactions")] == [10]
        assert len(parts(home)) == 1

    def test_its_reading_options_hold_until_others_are_given(
        self, home: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        first = "member,item_id,timestamp\nann,tea,01/07/2024 12:00:00\n"
        options = {"timezone": "Europe/Paris", "day_first": True, "columns": {"member": "user_id"}}
        home.ingest(interactions_file=home.write("log.csv", first), reading=options)
        grown = home.write("log.csv", first + "bob,tea,01/07/2024 13:00:00\n")
        home.ingest(interactions_file=grown)
        kept = "--timezone Europe/Paris --day-first --columns member=user_id"
        assert f"log.csv: reading options of its last ingest, unless others are given: {kept}" in (
            capsys.readouterr().out
        )
        assert [row["timestamp"].hour for row in home.rows("interactions")] == [10, 11]
        home.ingest(interactions_file=grown)
        assert "the same content is already ingested, skipped" in capsys.readouterr().out
        home.ingest(interactions_file=grown, reading={"timezone": "UTC"})
        assert [row["timestamp"].hour for row in home.rows("interactions")] == [12, 13]
        (part,) = Warehouse(str(home.warehouse)).listed()
        assert part.options == options | {"timezone": "UTC"}

    @pytest.mark.parametrize("column", [0, 1, 2])
    def test_a_correction_of_one_column_in_all_rows_replaces_them(self, home: Any, column: int) -> None:
        corrected = []
        for row in ROWS:
            cells = row.split(",")
            cells[column] = f"0{cells[column]}" if column < 2 else str(int(cells[column]) - 3600)
            corrected.append(",".join(cells))
        home.ingest(interactions_file=home.write("log.csv", table(ROWS)))
        home.ingest(interactions_file=home.write("log.csv", table(corrected)))
        assert len(home.rows("interactions")) == 4

    def test_times_that_were_years_too_early_are_replaced_if_the_rows_have_ids(self, home: Any) -> None:
        header = "interaction_id,user_id,item_id,timestamp\n"
        rows = [f"{number},{row}" for number, row in enumerate(ROWS)]
        home.ingest(interactions_file=home.write("log.csv", table(rows, header).replace(",17", ",10")))
        home.ingest(interactions_file=home.write("log.csv", table(rows, header)))
        assert [row["timestamp"].year for row in home.rows("interactions")] == [2023] * 4

    def test_rows_that_were_set_aside_are_gone_after_the_correction(self, home: Any) -> None:
        home.ingest(interactions_file=home.write("log.csv", table([*ROWS, f",tea,{DAY}", f"bob,,{DAY}"])))
        home.ingest(
            interactions_file=home.write("log.csv", table([*ROWS, f"eve,tea,{DAY}"])), accept_smaller=True
        )
        assert all(row["user_id"] and row["item_id"] for row in home.rows("interactions"))

    def test_a_moved_folder_is_the_same_source(self, home: Any) -> None:
        for folder in ("a", "b"):
            (home.root / folder).mkdir()
        home.ingest(interactions_file=home.write("a/log.csv", table([*ROWS, f"bob,wrong,{DAY}"])))
        home.ingest(interactions_file=home.write("b/log.csv", table(ROWS)), accept_smaller=True)
        assert parts(home) == [("log.csv", 4)]

    def test_a_renamed_file_is_not_ingested_twice(
        self, home: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        home.ingest(interactions_file=home.write("log.csv", table(ROWS)))
        home.ingest(interactions_file=home.write("renamed.csv", table(ROWS)))
        assert "renamed.csv: the same content is already ingested as log.csv" in capsys.readouterr().out
        home.ingest(
            interactions_file=home.write("renamed.csv", table(ROWS)), reading={"timezone": "Asia/Tokyo"}
        )
        assert parts(home) == [("renamed.csv", 4)]

    def test_a_window_of_the_newest_rows_is_told(self, home: Any, capsys: pytest.CaptureFixture[str]) -> None:
        home.ingest(interactions_file=home.write("log.csv", table(ROWS)))
        newest = home.write("log.csv", table([ROWS[1], ROWS[3], f"eve,tea,{DAY + 9}"]))
        home.ingest(interactions_file=newest, accept_smaller=True)
        out = capsys.readouterr().out
        assert "they replace 4: 1 new, 2 withdrawn" in out
        assert "older than all new ones" in out
        assert "--source NAME" in out


class TestEqualIds:
    """A row can't be taken away by a later one that has its id."""

    HEADER = "interaction_id,user_id,item_id,timestamp\n"

    def ids(self, home: Any) -> dict[str, str]:
        return {row["interaction_id"]: row["user_id"] for row in home.rows("interactions")}

    def test_the_row_of_the_earlier_source_stays_also_after_its_correction(self, home: Any) -> None:
        first = [f"1,ann,tea,{DAY}", f"2,ann,milk,{DAY}", f"3,ann,cake,{DAY}"]
        home.ingest(interactions_file=home.write("a.csv", table(first, self.HEADER)))
        home.ingest(interactions_file=home.write("b.csv", table([f"1,bob,tea,{DAY}"], self.HEADER)))
        home.ingest(interactions_file=home.write("a.csv", table([*first, f"4,ann,tea,{DAY}"], self.HEADER)))
        assert self.ids(home) == dict.fromkeys("1234", "ann")

    def test_a_row_of_a_file_stays_although_its_id_was_recorded_before(self, home: Any) -> None:
        url = f"sqlite:///{home.root}/log.sqlite"
        log = InteractionLog(url)
        log.record([Interaction(number, "eve", "spam", "view", DAY * 1_000_000) for number in "23"])
        log.close()
        home.ingest(interactions_file=home.write("a.csv", table([f"1,ann,tea,{DAY}"], self.HEADER)))
        home.ingest(interaction_log=url)
        home.ingest(interactions_file=home.write("b.csv", table([f"2,bob,tea,{DAY}"], self.HEADER)))
        assert self.ids(home) == {"1": "ann", "2": "bob", "3": "eve"}


class TestFurtherRows:
    def test_other_sources_add_up(self, home: Any) -> None:
        home.ingest(interactions_file=home.write("1.csv", table(ROWS[:2])))
        home.ingest(interactions_file=home.write("2.csv", table(ROWS[2:])))
        assert len(home.rows("interactions")) == 4
        assert parts(home) == [("1.csv", 2), ("2.csv", 2)]

    def test_a_later_export_under_the_same_name_is_refused_and_nothing_changes(self, home: Any) -> None:
        home.ingest(interactions_file=home.write("log.csv", table(ROWS)))
        before = (home.warehouse / "watermarks.json").read_bytes()
        later = table([row.replace(str(DAY)[:6], "170001") for row in ROWS])
        with pytest.raises(
            StepError,
            match=r"source of this name has 4 interactions.*--source NAME.*data retract --source log.csv",
        ):
            home.ingest(interactions_file=home.write("log.csv", later))
        assert (home.warehouse / "watermarks.json").read_bytes() == before

        home.ingest(interactions_file=str(home.root / "log.csv"), reading={"source": "second day"})
        assert len(home.rows("interactions")) == 8

    def test_another_file_of_the_same_name_in_another_folder_is_refused(self, home: Any) -> None:
        for folder in ("a", "b"):
            (home.root / folder).mkdir()
        home.ingest(interactions_file=home.write("a/log.csv", table(ROWS)))
        other = home.write("b/log.csv", table([row.replace("170000", "169999") for row in ROWS]))
        with pytest.raises(StepError, match=r"4 interactions from .*a/log.csv.*not in .*b/log.csv"):
            home.ingest(interactions_file=other)
        # The same name, given on purpose, says that it is the same source.
        home.ingest(interactions_file=other, reading={"source": "log.csv"})
        assert parts(home) == [("log.csv", 4)]

    def test_ids_that_count_the_rows_of_each_file_are_refused(self, home: Any) -> None:
        header = "interaction_id,user_id,item_id,timestamp\n"
        first = table([f"{number},{row}" for number, row in enumerate(ROWS)], header)
        second = table([f"{number},u{number},i{number},{DAY}" for number in range(4)], header)
        home.ingest(interactions_file=home.write("1.csv", first))
        with pytest.raises(StepError, match=r"2.csv: interaction_id '0' belongs to another user.*4 of the 4"):
            home.ingest(interactions_file=home.write("2.csv", second))


class TestLastWord:
    HEADER = "interaction_id,user_id,item_id,timestamp,value\n"

    def test_the_earlier_source_has_the_word_on_an_id(self, home: Any) -> None:
        home.ingest(interactions_file=home.write("1.csv", table(["x,ann,tea,1700000000,1"], self.HEADER)))
        home.ingest(interactions_file=home.write("2.csv", table(["x,ann,milk,1700000000,5"], self.HEADER)))
        (row,) = home.rows("interactions")
        assert (row["item_id"], row["value"]) == ("tea", 1.0)

    def test_the_last_row_of_a_file_has_the_last_word_on_an_interaction(self, home: Any) -> None:
        rows = ["x,ann,tea,1700000000,1", "x,ann,tea,1700000000,5"]
        home.ingest(interactions_file=home.write("1.csv", table(rows, self.HEADER)))
        (row,) = home.rows("interactions")
        assert row["value"] == 5.0

    def test_an_id_of_several_items_in_one_file_stays_for_the_validation(self, home: Any) -> None:
        rows = ["invoice,ann,tea,1700000000,1", "invoice,ann,milk,1700000000,5"]
        home.ingest(interactions_file=home.write("1.csv", table(rows, self.HEADER)))
        assert len(home.rows("interactions")) == 2


class TestItemsAndUsers:
    def test_a_catalog_is_updated_alone(self, home: Any) -> None:
        home.ingest(
            interactions_file=home.write("log.csv", table(ROWS)),
            items_file=home.write("items.csv", "item_id,title\ntea,Tea\nmilk,Milk\nold,Old\n"),
        )
        home.ingest(items_file=home.write("items.csv", "item_id,title\ntea,Green tea\nmilk,Milk\n"))
        titles = {row["item_id"]: row["title"] for row in home.rows("items")}
        assert titles == {"tea": "Green tea", "milk": "Milk", "cake": None}

    def test_a_part_of_the_catalog_under_the_same_name_is_refused(self, home: Any) -> None:
        rows = "".join(f"item{number},Title\n" for number in range(10))
        home.ingest(
            interactions_file=home.write("log.csv", table(ROWS)),
            items_file=home.write("items.csv", f"item_id,title\n{rows}"),
        )
        with pytest.raises(StepError, match=r"items.csv: the source of this name has 10 items"):
            home.ingest(items_file=home.write("items.csv", "item_id,title\nitem3,New\n"))
        home.ingest(items_file=str(home.root / "items.csv"), reading={"source": "update"})
        titles = {row["item_id"]: row["title"] for row in home.rows("items")}
        assert (titles["item3"], titles["item4"]) == ("New", "Title")


class TestEarlierWarehouse:
    @pytest.fixture
    def earlier(self, home: Any) -> Any:
        """Return a home whose manifest is of the version that had neither numbers nor names."""
        home.ingest(interactions_file=home.write("log.csv", table(ROWS)))
        manifest = home.warehouse / "watermarks.json"
        stored = json.loads(manifest.read_text())
        part = {key: stored["parts"][0][key] for key in ("table", "path", "digest", "rows")}
        old = {"catalog": "files", "parts": [part | {"source": "file"}], "log": {}}
        manifest.write_text(json.dumps(old))
        return home

    def test_it_opens(self, earlier: Any) -> None:
        earlier.ingest()
        assert len(earlier.rows("interactions")) == 4
        assert parts(earlier) == [("unnamed-1", 4)]

    @pytest.mark.parametrize("rows", [ROWS, ROWS[:3], [*ROWS, f"eve,tea,{DAY}"]])
    def test_a_file_that_it_has_gets_its_name(self, earlier: Any, rows: list[str]) -> None:
        earlier.ingest(interactions_file=earlier.write("log.csv", table(rows)))
        assert parts(earlier) == [("log.csv", len(rows))]
        assert len(earlier.rows("interactions")) == len(rows)

    def test_another_file_adds_up(self, earlier: Any) -> None:
        earlier.ingest(interactions_file=earlier.write("new.csv", table([f"eve,tea,{DAY}"])))
        assert parts(earlier) == [("unnamed-1", 4), ("new.csv", 1)]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("/data/sales.csv", "sales.csv"),
        ("/data/2024/*.csv", "2024/*.csv"),
        ("/data/2024/", "2024"),
        ("/data/log", "./log"),
        ("s3://key:secret@bucket/sales.parquet", "sales.parquet"),
        ("https://host/sales.csv?X-Amz-Signature=abc", "sales.csv"),
    ],
)
def test_a_source_has_the_name_of_its_file(url: str, name: str) -> None:
    assert source_name(url, is_pattern="*" in url) == name
    assert source_name("/data/sales [1].csv", is_pattern=False) == "sales [1].csv"


def test_the_place_has_no_password_and_no_signature() -> None:
    assert place("https://user:secret@host/a.csv?sig=1#x") == "https://host/a.csv"
    assert place(str(Path("/a/b#c?.csv"))) == "/a/b#c?.csv"
