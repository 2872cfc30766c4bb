"""A user's own files: what is read, how, and what is said about those that can't be."""

import gzip
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from components.errors import StepError

HEADER = "user_id,item_id,timestamp\n"
MOMENT = datetime(2024, 1, 31, 12, 0, tzinfo=UTC)
SECONDS = int(MOMENT.timestamp())


class TestTimes:
    @pytest.mark.parametrize(
        ("cell", "label"),
        [
            (f"{SECONDS}", "epoch seconds"),
            (f"{SECONDS}.0", "epoch seconds"),
            (f"{SECONDS}000", "epoch milliseconds"),
            (f"{SECONDS}000000", "epoch microseconds"),
            (f"{SECONDS}000000000", "epoch nanoseconds"),
            ("2024-01-31T12:00:00Z", "ISO 8601"),
            ("2024-01-31 14:00:00+02:00", "ISO 8601"),
            ("2024-01-31T12:00:00", "ISO 8601"),
        ],
    )
    def test_text_is_detected_and_reported(
        self, home: Any, capsys: pytest.CaptureFixture[str], cell: str, label: str
    ) -> None:
        home.ingest(interactions_file=home.write("log.csv", f"{HEADER}ann,tea,{cell}\n"))
        assert home.rows("interactions")[0]["timestamp"] == MOMENT
        assert f"timestamp read as {label}" in capsys.readouterr().out

    @pytest.mark.parametrize(
        "times",
        [
            pa.array([SECONDS], pa.int64()),
            pa.array([SECONDS], pa.int32()),
            pa.array([float(SECONDS)]),
            pa.array([MOMENT], pa.timestamp("ns", tz="UTC")),
            pa.array([MOMENT.replace(tzinfo=None)], pa.timestamp("ms")),
            pa.array(["2024-01-31T12:00:00Z"]),
        ],
        ids=lambda times: str(times.type),
    )
    def test_parquet_types(self, home: Any, times: pa.Array) -> None:
        columns = {"user_id": ["ann"], "item_id": ["tea"], "timestamp": times}
        home.ingest(interactions_file=home.write_parquet("log.parquet", columns))
        assert home.rows("interactions")[0]["timestamp"] == MOMENT

    def test_fractions_of_a_second_are_kept(self, home: Any) -> None:
        home.ingest(interactions_file=home.write("log.csv", f"{HEADER}ann,tea,{SECONDS}.25\n"))
        assert home.rows("interactions")[0]["timestamp"] == MOMENT.replace(microsecond=250_000)

    @pytest.mark.parametrize("cell", ["yesterday", "2024-02-30", "infinity", "13/01/2024"])
    def test_one_that_is_none_is_named_with_its_row(self, home: Any, cell: str) -> None:
        text = f"{HEADER}ann,tea,2024-01-31\nbob,tea,{cell}\nbob,tea,{cell}\n"
        with pytest.raises(StepError, match=rf"log.csv: row 2: timestamp '{cell}'.*ISO 8601.*2 row\(s\)"):
            home.ingest(interactions_file=home.write("log.csv", text))

    def test_a_text_among_epochs_is_named(self, home: Any) -> None:
        text = f"{HEADER}a,x,{SECONDS}\na,y,{SECONDS}\na,z,2024-01-31\n"
        with pytest.raises(StepError, match="row 3: timestamp '2024-01-31'"):
            home.ingest(interactions_file=home.write("log.csv", text))

    def test_numbers_that_are_no_time_in_any_unit(self, home: Any) -> None:
        with pytest.raises(StepError, match="timestamp holds numbers like 20240131"):
            home.ingest(interactions_file=home.write("log.csv", f"{HEADER}ann,tea,20240131\n"))


class TestCells:
    def test_whole_numbers_as_ids_have_no_fraction(self, home: Any) -> None:
        columns = {
            "user_id": pa.array([7.0, 8.0]),
            "item_id": pa.array([1, 2]),
            "timestamp": [SECONDS, SECONDS],
        }
        home.ingest(interactions_file=home.write_parquet("a.parquet", columns))
        home.ingest(interactions_file=home.write("b.csv", f"{HEADER}9.0,3.0,{SECONDS}\n"))
        rows = home.rows("interactions")
        assert [(row["user_id"], row["item_id"]) for row in rows] == [("7", "1"), ("8", "2"), ("9", "3")]

    def test_csv_ids_stay_as_they_are_written(self, home: Any) -> None:
        home.ingest(interactions_file=home.write("a.csv", f"{HEADER}007,1.0,{SECONDS}\n007,v2,{SECONDS}\n"))
        assert {(row["user_id"], row["item_id"]) for row in home.rows("interactions")} == {
            ("007", "1.0"),
            ("007", "v2"),
        }

    def test_a_value_makes_a_rating_and_missing_ones_are_null(self, home: Any) -> None:
        text = f"user_id,item_id,timestamp,value\nann,tea,{SECONDS},4.5\nann,milk,{SECONDS},\n"
        home.ingest(interactions_file=home.write("log.csv", text))
        assert [(row["event_type"], row["value"]) for row in home.rows("interactions")] == [
            ("rate", 4.5),
            ("view", None),
        ]

    @pytest.mark.parametrize(
        "values", [[float("nan")], [1.5, float("nan")]], ids=["alone", "beside a number"]
    )
    def test_not_a_number_in_parquet_is_missing(self, home: Any, values: list[float]) -> None:
        columns = {
            "user_id": ["a"] * len(values),
            "item_id": ["b"] * len(values),
            "timestamp": [SECONDS + second for second in range(len(values))],
            "value": values,
        }
        home.ingest(interactions_file=home.write_parquet("a.parquet", columns))
        expected = [None if math.isnan(value) else value for value in values]
        assert [row["value"] for row in home.rows("interactions")] == expected

    def test_a_value_that_is_no_number_is_named_with_its_row(self, home: Any) -> None:
        text = f"user_id,item_id,timestamp,value\nann,tea,{SECONDS},1\nann,milk,{SECONDS},good\n"
        with pytest.raises(StepError, match="row 2: value 'good' can't be read; expected a number"):
            home.ingest(interactions_file=home.write("log.csv", text))

    def test_empty_ids_pass_as_missing_for_validation_to_set_aside(self, home: Any) -> None:
        home.ingest(interactions_file=home.write("log.csv", f"{HEADER},tea,{SECONDS}\nann,,\n"))
        rows = home.rows("interactions")
        assert [(row["user_id"], row["item_id"], row["timestamp"]) for row in rows] == [
            ("ann", None, None),
            (None, "tea", MOMENT),
        ]
        assert [row["item_id"] for row in home.rows("items")] == ["tea"]
        assert [row["user_id"] for row in home.rows("users")] == ["ann"]

    def test_given_ids_are_kept(self, home: Any) -> None:
        text = f"interaction_id,user_id,item_id,timestamp\nx1,ann,tea,{SECONDS}\n,ann,milk,{SECONDS}\n"
        home.ingest(interactions_file=home.write("log.csv", text))
        first, second = (row["interaction_id"] for row in home.rows("interactions"))
        assert first == "x1"
        assert len(second) == 20

    def test_quotes_delimiters_and_compression_are_read_off_the_file(self, home: Any) -> None:
        text = 'item_id;title;categories\ntea;"Tea; black";"hot|drink"\n'
        path = Path(home.write("items.csv", ""))
        packed = path.with_name("items.csv.gz")
        packed.write_bytes(gzip.compress(("\ufeff" + text).encode()))
        home.ingest(
            interactions_file=home.write("log.tsv", f"user_id\titem_id\ttimestamp\nann\ttea\t{SECONDS}\n"),
            items_file=str(packed),
        )
        (row,) = home.rows("items")
        assert (row["title"], row["categories"]) == ("Tea; black", ["hot", "drink"])

    def test_availability_is_read_as_times(self, home: Any) -> None:
        home.ingest(
            interactions_file=home.write("log.csv", f"{HEADER}ann,tea,{SECONDS}\n"),
            items_file=home.write("items.csv", "item_id,available_from\ntea,2024-01-31T12:00:00Z\n"),
        )
        assert home.rows("items")[0]["available_from"] == MOMENT


class TestBadFiles:
    """Each message names the file and what to do."""

    @pytest.mark.parametrize(
        ("name", "text", "message"),
        [
            ("log.csv", "", r"log.csv: is empty; expected a header line and rows"),
            ("log.csv", HEADER, r"log.csv: has a header but no rows"),
            (
                "log.csv",
                "user_id,item_id\na,b\n",
                r"column timestamp is missing.*this table has user_id, item_id",
            ),
            (
                "log.csv",
                "user_id,item_id,timestamp,colour\na,b,1700000000,red\n",
                r"unknown column 'colour'.*value",
            ),
            (
                "log.csv",
                "User_ID,item_id,timestamp\na,b,1700000000\n",
                r"column 'User_ID' must be written 'user_id'",
            ),
            ("log.csv", "user_id,item_id,item_id\na,b,c\n", r"columns \['item_id'\] more than once"),
            ("log.csv", "user_id,,timestamp\na,b,1\n", r"a column without a name"),
            ("log.csv", f"{HEADER}a,b,1700000000,x\n", r"log.csv: CSV Error on Line: 2.*Correct that line"),
            (
                "log.parquet",
                "user_id,item_id",
                r"log.parquet: is damaged or not the Parquet file its name says",
            ),
            (
                "log.json",
                "{}",
                r"log.json: can't tell its format; expected a name that ends in .csv, .parquet",
            ),
        ],
    )
    def test_text(self, home: Any, name: str, text: str, message: str) -> None:
        with pytest.raises(StepError, match=message):
            home.ingest(interactions_file=home.write(name, text))
        assert not home.warehouse.exists() or not list(home.warehouse.glob("*.json"))

    def test_one_that_is_not_there(self, home: Any) -> None:
        with pytest.raises(StepError, match=r"nowhere.csv can't be read \(No such file.*--interactions FILE"):
            home.ingest(interactions_file=str(home.root / "nowhere.csv"))

    def test_a_directory(self, home: Any) -> None:
        with pytest.raises(StepError, match=r"items file .* can't be read \(Is a directory\).*--items FILE"):
            home.ingest(items_file=str(home.root))

    def test_a_truncated_parquet(self, home: Any) -> None:
        columns = {"user_id": ["a"] * 1000, "item_id": ["b"] * 1000, "timestamp": [SECONDS] * 1000}
        path = Path(home.write_parquet("log.parquet", columns))
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(StepError, match=r"log.parquet: is damaged"):
            home.ingest(interactions_file=str(path))

    def test_a_parquet_with_damaged_pages(self, home: Any) -> None:
        columns = {
            "user_id": [f"user {n}" for n in range(1000)],
            "item_id": ["b"] * 1000,
            "timestamp": [SECONDS] * 1000,
        }
        path = Path(home.write_parquet("log.parquet", columns))
        content = bytearray(path.read_bytes())
        content[4:2000] = b"\xff" * 1996
        path.write_bytes(content)
        with pytest.raises(StepError, match=r"log.parquet: is damaged"):
            home.ingest(interactions_file=str(path))

    def test_another_encoding(self, home: Any) -> None:
        path = home.root / "log.csv"
        path.write_bytes(f"{HEADER}caf\xe9,tea,{SECONDS}\n".encode("latin-1"))
        with pytest.raises(StepError, match=r"not utf-8 encoded.*Save it as UTF-8"):
            home.ingest(interactions_file=str(path))

    def test_an_item_without_an_id_is_named_with_its_row(self, home: Any) -> None:
        text = "item_id,title\ntea,Tea\n,Nameless\n"
        with pytest.raises(StepError, match=r"items.csv: row 2: item_id is empty"):
            home.ingest(items_file=home.write("items.csv", text))

    @pytest.mark.parametrize(
        ("table", "columns", "message"),
        [
            (
                "interactions",
                {"user_id": [["a"]], "item_id": ["b"], "timestamp": [SECONDS]},
                "user_id holds VARCHAR",
            ),
            (
                "interactions",
                {"user_id": ["a"], "item_id": ["b"], "timestamp": [True]},
                "timestamp holds BOOLEAN",
            ),
            ("items", {"item_id": ["b"], "size": [{"w": 1}]}, r"column size holds STRUCT.*lists of numbers"),
            ("users", {"user_id": ["b"], "tags": [["x"]]}, "column tags holds VARCHAR"),
        ],
    )
    def test_types_that_hold_something_else(
        self, home: Any, table: str, columns: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(StepError, match=message):
            home.ingest(**{f"{table}_file": home.write_parquet("table.parquet", columns)})


def test_rows_of_a_large_file_are_numbered_as_they_stand(home: Any) -> None:
    rows = "".join(f"u{n % 7},i{n},{SECONDS}\n" for n in range(300_000))
    with pytest.raises(StepError, match="row 300001: timestamp 'x'"):
        home.ingest(interactions_file=home.write("log.csv", f"{HEADER}{rows}ann,tea,x\n"))
    home.ingest(interactions_file=home.write("log.csv", HEADER + rows))
    items = [int(row["item_id"][1:]) for row in home.rows("interactions") if row["user_id"] == "u3"]
    assert items == list(range(3, 300_000, 7))
