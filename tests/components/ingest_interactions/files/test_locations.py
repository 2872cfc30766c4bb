"""A path is a file, a folder of part files, a pattern or a URL."""

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.errors import StepError
from components.ingest_interactions.files.table_files import digest, open_table
from tests.components.ingest_interactions.files.conftest import rows

HEADER = "user,item\n"


def parquet(**columns: list[Any]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def users(found: list[dict[str, Any]]) -> list[Any]:
    return [row["user"] for row in found]


@pytest.fixture
def bucket() -> Iterator[fsspec.AbstractFileSystem]:
    filesystem = fsspec.filesystem("memory")
    yield filesystem
    filesystem.rm("/bucket", recursive=True)


def test_parts_of_a_folder_are_read_in_the_order_of_their_numbers(folder: Any) -> None:
    for number in (10, 2, 1):
        folder.write(f"events/part-{number}.parquet", parquet(user=[f"user {number}"]))
    for name in ("_SUCCESS", ".part-1.parquet.crc", "_committed_7", "part-1.parquet.md5", "README.md"):
        folder.write(f"events/{name}", "x")
    opened = folder.open("events")
    assert users(rows(opened)) == ["user 1", "user 2", "user 10"]
    assert opened.description == "Parquet in 3 files"
    assert opened.notes == [
        "5 files beside the table ignored: .part-1.parquet.crc, README.md, _SUCCESS, _committed_7, "
        "part-1.parquet.md5"
    ]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("part-*.csv", ["a", "b", "c"]),
        ("part-?.csv", ["a", "b"]),
        ("part-[2-9].csv", ["b"]),
        ("*", ["a", "b", "c"]),
    ],
)
def test_a_pattern_chooses_files(folder: Any, pattern: str, expected: list[str]) -> None:
    for name, user in (("part-1.csv", "a"), ("part-2.csv", "b"), ("part-10.csv", "c")):
        folder.write(f"events/{name}", f"{HEADER}{user},x\n")
    folder.write("events/_SUCCESS", "")
    assert users(folder.read(f"events/{pattern}")) == expected


@pytest.mark.parametrize("name", ["log[1].csv", "log*.csv", "log?.csv", "b\\[1].csv", "it's é #%20.csv"])
def test_a_file_that_exists_is_no_pattern(folder: Any, name: str) -> None:
    for other in ("log1.csv", "logx.csv", "b1.csv"):
        folder.write(other, f"{HEADER}wrong,x\n")
    assert users(folder.read(name, f"{HEADER}right,x\n")) == ["right"]


def test_a_folder_that_exists_is_no_pattern(folder: Any) -> None:
    folder.write("log1/a.csv", f"{HEADER}wrong,x\n")
    folder.write("log[1]/a.csv", f"{HEADER}right,x\n")
    assert users(folder.read("log[1]")) == ["right"]
    assert users(folder.read("log[1]/*.csv")) == ["right"]


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_folders_with_values_are_columns(folder: Any, kind: str) -> None:
    contents: dict[str, Any] = {
        "parquet": parquet(user=["ann"]),
        "csv": "user\nann\n",
        "jsonl": '{"user":"ann"}\n',
    }
    days = ["event_date=2024-01-31/kind=007", "event_date=__HIVE_DEFAULT_PARTITION__/kind=a%20b%2Fc"]
    for day in days:
        folder.write(f"events/{day}/part.{kind}", contents[kind])
    opened = folder.open("events")
    assert rows(opened) == [
        {"user": "ann", "event_date": "2024-01-31", "kind": "007"},
        {"user": "ann", "event_date": None, "kind": "a b/c"},
    ]
    assert opened.notes[0] == "columns from the names of the folders: event_date, kind"
    assert folder.read("events/event_date=2024*/*/*") == rows(opened)[:1]


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_a_column_in_the_path_wins_over_one_of_the_file(folder: Any, kind: str) -> None:
    contents: dict[str, Any] = {
        "parquet": parquet(user=["ann"], day=["9"]),
        "csv": "user,day,n\nann,9,x\n",
        "jsonl": '{"user":"ann","day":9}\n{"user":"ann","day":9}\n',
    }
    folder.write(f"events/day=1/part.{kind}", contents[kind])
    opened = folder.open("events")
    assert opened.relation.columns.count("day") == 1
    assert {row["day"] for row in rows(opened)} == {"1"}


def test_parts_may_have_one_column_more_and_other_types(folder: Any) -> None:
    folder.write("events/1.parquet", parquet(user=[1], item=["x"]))
    folder.write("events/2.parquet", parquet(user=["ann"], item=["y"], value=[1.5]))
    assert folder.read("events") == [
        {"user": "1", "item": "x", "value": None},
        {"user": "ann", "item": "y", "value": 1.5},
    ]


def test_parts_may_be_written_in_different_ways(folder: Any) -> None:
    folder.write("events/1.csv", "user,item\nann,x\n")
    folder.write("events/2.csv", "item;user;value\ny;bob;2,5\n")
    folder.write("events/3.csv.gz", gzip.compress(b"user,item\neve,z\n"))
    assert folder.read("events") == [
        {"user": "ann", "item": "x", "value": None},
        {"user": "eve", "item": "z", "value": None},
        {"user": "bob", "item": "y", "value": "2.5"},
    ]


def test_parts_of_a_file_that_was_split_have_its_columns(folder: Any) -> None:
    folder.write("events/xaa", "user,time\nann,1700000000\n")
    folder.write("events/xab", "bob,1700000001\n")
    opened = folder.open("events")
    assert users(rows(opened)) == ["ann", "bob"]
    assert opened.notes == ["1 file without a header, taken to have the columns of xaa"]


def test_parts_without_rows_are_left_out(folder: Any) -> None:
    for name, text in (("1.csv", "user,item\nann,x\n"), ("2.csv", ""), ("3.csv", "user,item\n")):
        folder.write(f"events/{name}", text)
    assert users(folder.read("events")) == ["ann"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"a.csv": "user,time\nann,1\n", "items.csv": "item,title\nx,y\n"},
            "different columns: .*title",
        ),
        ({"a.parquet": parquet(user=["a"], n=[1]), "b.parquet": parquet(item=["x"])}, "different columns"),
        (
            {"a.csv": "user,time\nann,1\n", "b.parquet": parquet(user=["a"])},
            "b.parquet is Parquet",
        ),
        ({"a.csv": "user\nann\n", "d=1/a.csv": "user\nann\n"}, r"different partitions \(none; d\)"),
        ({"_SUCCESS": "", "README.md": "x"}, r"no table files there; ignored: README.md, _SUCCESS"),
        ({"_delta_log/0.json": "{}", "a.parquet": parquet(user=["a"])}, "is a Delta table: .*deleted rows"),
        ({"metadata/v1.metadata.json": "{}", "a.parquet": parquet(user=["a"])}, "is an Iceberg table"),
    ],
)
def test_files_that_are_not_one_table_are_refused(
    folder: Any, files: dict[str, str | bytes], message: str
) -> None:
    for name, content in files.items():
        folder.write(f"events/{name}", content)
    with pytest.raises(StepError, match=message):
        folder.open("events")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("log2.csv", r"No such file or directory; did you mean log1.csv\?"),
        ("nowhere/x.csv", r"\(No such file or directory\)"),
        ("z*.csv", "no table files there"),
        ("foo://x/y.csv", "Protocol not known: foo"),
        ("memory://bucket/nothing.csv", "No such file or directory"),
    ],
)
def test_a_path_to_nothing_is_refused(folder: Any, url: str, message: str) -> None:
    folder.write("log1.csv", f"{HEADER}ann,x\n")
    path = url if "://" in url else str(folder.path / url)
    with pytest.raises(StepError, match=rf"the users file .*can't be read \(?.*{message}.*with --users FILE"):
        open_table(folder.connection, path, table="users")


def test_urls_are_read(folder: Any, bucket: fsspec.AbstractFileSystem) -> None:
    bucket.pipe("/bucket/x[1].csv.gz", gzip.compress(b"user,item\nann,x\n"))
    bucket.pipe("/bucket/parts/part-0.csv", b"user,item\nbob,x\n")
    bucket.pipe("/bucket/parts/part-1.csv", b"user,item\neve,x\n")
    for url, expected in (
        ("memory://bucket/x[1].csv.gz", ["ann"]),
        ("memory://bucket/parts", ["bob", "eve"]),
        ("memory://bucket/parts/part-*.csv", ["bob", "eve"]),
    ):
        assert users(rows(open_table(folder.connection, url))) == expected


def test_a_remote_file_is_downloaded_once_for_its_digest_and_its_rows(
    folder: Any, bucket: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.pipe("/bucket/a.csv", b"user,item\nann,x\n")
    downloads: list[str] = []
    get_file = bucket.get_file

    def count(path: str, target: str) -> None:
        downloads.append(path)
        get_file(path, target)

    monkeypatch.setattr(bucket, "get_file", count)
    digest(folder.connection, "interactions", "memory://bucket/a.csv")
    for _ in range(2):
        assert users(rows(open_table(folder.connection, "memory://bucket/a.csv"))) == ["ann"]
    assert downloads == ["/bucket/a.csv"]


def test_the_digest_of_a_folder_covers_names_and_contents(folder: Any) -> None:
    def current(name: str = "events") -> str:
        return digest(folder.connection, "interactions", str(folder.path / name))

    folder.write("events/1.csv", "user\nann\n")
    folder.write("events/2.csv", "user\nbob\n")
    first = current()
    folder.write("events/_SUCCESS", "")
    assert current() == first == current("events/*.csv")
    folder.write("events/2.csv", "user\neve\n")
    second = current()
    Path(folder.path / "events/2.csv").rename(folder.path / "events/3.csv")
    assert len({first, second, current()}) == 3


def test_the_digest_of_a_file_does_not_depend_on_its_name(folder: Any) -> None:
    paths = [str(folder.write(name, "user\nann\n")) for name in ("a.csv", "b[1].csv")]
    first, second = (digest(folder.connection, "interactions", path) for path in paths)
    assert first == second
