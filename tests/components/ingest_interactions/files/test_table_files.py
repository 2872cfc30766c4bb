"""A user's own files: formats, cells, and error messages."""

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

    @pytest.mark.parametrize("cell", ["yesterday", "2024-02-30", "infinity"])
    def test_an_invalid_time_is_rejected_with_its_row(self, home: Any, cell: str) -> None:
        text = f"{HEADER}ann,tea,2024-01-31\nbob,tea,{cell}\nbob,tea,{cell}\n"
        with pytest.raises(
            StepError,
            match=rf"log.csv: row 2: timestamp is '{cell}'.*'2024-01-31'.*Rows with this problem: 2",
        ):
            home.ingest(interactions_file=home.write("log.csv", text))

    def test_a_text_among_epoch_numbers_is_rejected_with_its_row(self, home: Any) -> None:
        text = f"{HEADER}a,x,{SECONDS}\na,y,{SECONDS}\na,z,2024-01-31\n"
        with pytest.raises(StepError, match="row 3: timestamp is '2024-01-31'"):
            home.ingest(interactions_file=home.write("log.csv", text))


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

    def test_csv_ids_stay_as_written(self, home: Any) -> None:
        home.ingest(interactions_file=home.write("a.csv", f"{HEADER}007,1.0,{SECONDS}\n007,v2,{SECONDS}\n"))
        assert {(row["user_id"], row["item_id"]) for row in home.rows("interactions")} == {
            ("007", "1.0"),
            ("007", "v2"),
        }

    def test_an_interaction_with_a_value_is_a_rating_and_a_missing_value_is_null(self, home: Any) -> None:
        text = f"user_id,item_id,timestamp,value\nann,tea,{SECONDS},4.5\nann,milk,{SECONDS},\n"
        home.ingest(interactions_file=home.write("log.csv", text))
        assert [(row["event_type"], row["value"]) for row in home.rows("interactions")] == [
            ("rate", 4.5),
            ("view", None),
        ]

    @pytest.mark.parametrize("values", [[float("nan")], [1.5, float("nan")]], ids=["alone", "with a number"])
    def test_nan_in_parquet_is_null(self, home: Any, values: list[float]) -> None:
        columns = {
            "user_id": ["a"] * len(values),
            "item_id": ["b"] * len(values),
            "timestamp": [SECONDS + second for second in range(len(values))],
            "value": values,
        }
        home.ingest(interactions_file=home.write_parquet("a.parquet", columns))
        expected = [None if math.isnan(value) else value for value in values]
        assert [row["value"] for row in home.rows("interactions")] == expected

    def test_an_invalid_value_is_rejected_with_its_row(self, home: Any) -> None:
        text = f"user_id,item_id,timestamp,value\nann,tea,{SECONDS},1\nann,milk,{SECONDS},good\n"
        with pytest.raises(StepError, match="row 2: value is 'good'; expected a number"):
            home.ingest(interactions_file=home.write("log.csv", text))

    def test_empty_ids_are_null(self, home: Any) -> None:
        home.ingest(interactions_file=home.write("log.csv", f"{HEADER},tea,{SECONDS}\nann,,\n"))
        rows = home.rows("interactions")
        assert [(row["user_id"], row["item_id"], row["timestamp"]) for row in rows] == [
            ("ann", None, None),
            (None, "tea", MOMENT),
        ]
        assert [row["item_id"] for row in home.rows("items")] == ["tea"]
        assert [row["user_id"] for row in home.rows("users")] == ["ann"]

    def test_interaction_ids_of_the_file_stay(self, home: Any) -> None:
        text = f"interaction_id,user_id,item_id,timestamp\nx1,ann,tea,{SECONDS}\n,ann,milk,{SECONDS + 1}\n"
        home.ingest(interactions_file=home.write("log.csv", text))
        first, second = (row["interaction_id"] for row in home.rows("interactions"))
        assert first == "x1"
        assert len(second) == 20

    def test_quotes_delimiter_and_compression_are_detected(self, home: Any) -> None:
        text = 'item_id;title;categories\ntea;"Tea; black";"hot|drink"\n'
        path = Path(home.write("items.csv", ""))
        packed = path.with_name("items.csv.gz")
        packed.write_bytes(gzip.compress(("\ufeff" + text).encode()))
        home.ingest(
            interactions_file=home.write("log.tsv", f"user_id\titem_id\ttimestamp\nann\ttea\t{SECONDS}\n"),
            items_file=str(packed),
        )
        (row,) = home.rows("items")
        assert (row["title"], row["categories"]) == ("Tea; black", ["drink", "hot"])

    def test_availability_columns_are_times(self, home: Any) -> None:
        home.ingest(
            interactions_file=home.write("log.csv", f"{HEADER}ann,tea,{SECONDS}\n"),
            items_file=home.write("items.csv", "item_id,available_from\ntea,2024-01-31T12:00:00Z\n"),
        )
        assert home.rows("items")[0]["available_from"] == MOMENT


class TestBadFiles:
    """Each message has the file name and advice."""

    @pytest.mark.parametrize(
        ("name", "text", "message"),
        [
            ("log.csv", "", r"log.csv: empty file; expected a header line and rows"),
            ("log.csv", HEADER, r"log.csv: no rows after the header"),
            ("log.csv", "user_id,item_id,item_id\na,b,c\n", r"columns \['item_id'\] more than once"),
            ("log.csv", "user_id,,timestamp\na,b,1\n", r"a column without a name"),
            (
                "log.csv",
                f"{HEADER}a,b,1700000000,x\n",
                r"log.csv: 1 of 1 lines can't be read.*line 2: 4 cells",
            ),
            ("log.json", "{}", r"log.json: the JSON objects have no keys"),
        ],
    )
    def test_text_files(self, home: Any, name: str, text: str, message: str) -> None:
        with pytest.raises(StepError, match=message):
            home.ingest(interactions_file=home.write(name, text))
        assert not home.warehouse.exists() or not list(home.warehouse.glob("*.json"))

    def test_a_missing_file(self, home: Any) -> None:
        with pytest.raises(StepError, match=r"nowhere.csv can't be read \(No such file.*--interactions FILE"):
            home.ingest(interactions_file=str(home.root / "nowhere.csv"))

    def test_a_directory(self, home: Any) -> None:
        with pytest.raises(
            StepError, match=r"items file .* can't be read \(no table files there\).*--items FILE"
        ):
            home.ingest(items_file=str(home.root))

    def test_a_truncated_parquet(self, home: Any) -> None:
        columns = {"user_id": ["a"] * 1000, "item_id": ["b"] * 1000, "timestamp": [SECONDS] * 1000}
        path = Path(home.write_parquet("log.parquet", columns))
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(StepError, match=r"log.parquet: damaged"):
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
        with pytest.raises(StepError, match=r"log.parquet: damaged"):
            home.ingest(interactions_file=str(path))

    def test_a_file_in_another_encoding(self, home: Any) -> None:
        path = home.root / "log.csv"
        path.write_bytes(f"{HEADER}caf\xe9,tea,{SECONDS}\n".encode("latin-1"))
        home.ingest(interactions_file=str(path))
        assert home.rows("interactions")[0]["user_id"] == "café"

    def test_an_item_without_an_id_is_rejected_with_its_row(self, home: Any) -> None:
        text = "item_id,title\ntea,Tea\n,Nameless\n"
        with pytest.raises(StepError, match=r"items.csv: row 2: item_id is empty"):
            home.ingest(items_file=home.write("items.csv", text))

    def test_times_of_an_unsupported_type(self, home: Any) -> None:
        columns = {"user_id": ["a"], "item_id": ["b"], "timestamp": [True]}
        with pytest.raises(StepError, match="timestamp has the type BOOLEAN"):
            home.ingest(interactions_file=home.write_parquet("table.parquet", columns))


def test_rows_of_a_large_file_are_numbered_in_file_order(home: Any) -> None:
    rows = "".join(f"u{n % 7},i{n},{SECONDS + n}\n" for n in range(300_000))
    with pytest.raises(StepError, match="row 300001: timestamp is 'x'"):
        home.ingest(interactions_file=home.write("log.csv", f"{HEADER}{rows}ann,tea,x\n"))
    home.ingest(interactions_file=home.write("log.csv", HEADER + rows))
    items = [int(row["item_id"][1:]) for row in home.rows("interactions") if row["user_id"] == "u3"]
    assert items == list(range(3, 300_000, 7))
