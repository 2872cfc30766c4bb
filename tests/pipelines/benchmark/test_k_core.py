"""The k-core, checked against examples calculated by hand."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.errors import StepError
from feature_repo.table_schemas import INTERACTIONS, ITEMS, USERS
from pipelines.benchmark.k_core import k_core, write_k_core

PAIRS: list[tuple[str | None, str]] = [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y"), ("c", "y"), ("c", "z")]


def write(folder: Path, pairs: list[tuple[str | None, str]], event_types: list[str] | None = None) -> None:
    folder.mkdir()
    rows = [
        {
            "interaction_id": str(number),
            "user_id": user,
            "item_id": item,
            "event_type": event_types[number] if event_types else "view",
            "timestamp": number,
        }
        for number, (user, item) in enumerate(pairs)
    ]
    nullable = pa.schema([field.with_nullable(True) for field in INTERACTIONS])
    tables = {
        "interactions": pa.Table.from_pylist(rows, nullable),
        "items": pa.Table.from_pylist([{"item_id": item} for item in "zyxw"], ITEMS),
        "users": pa.Table.from_pylist([{"user_id": user} for user in "abcd"], USERS),
    }
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")


def column(folder: Path, table: str, name: str) -> list[str]:
    return pq.read_table(folder / f"{table}.parquet")[name].to_pylist()


def test_k_core_removes_users_and_items_until_all_have_k_interactions() -> None:
    # Item z has one interaction. Without it user c has one too and is removed; item y keeps two.
    users, items = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 0, 1, 1, 2])

    assert k_core(users, items, 2).tolist() == [True, True, True, True, False, False]
    assert k_core(users, items, 1).all()
    assert not k_core(users, items, 3).any()


def test_write_k_core_keeps_the_order_of_the_tables(tmp_path: Path) -> None:
    write(tmp_path / "ingested", PAIRS)

    write_k_core(tmp_path / "ingested", tmp_path / "core", 2)

    assert column(tmp_path / "core", "interactions", "interaction_id") == ["0", "1", "2", "3"]
    assert column(tmp_path / "core", "items", "item_id") == ["y", "x"]
    assert column(tmp_path / "core", "users", "user_id") == ["a", "b"]
    counts = json.loads((tmp_path / "core/counts.json").read_text())
    assert counts == {"interactions": 4, "items": 2, "users": 2}


def test_write_k_core_keeps_everything_when_k_is_zero(tmp_path: Path) -> None:
    write(tmp_path / "ingested", PAIRS)

    write_k_core(tmp_path / "ingested", tmp_path / "core", 0)

    assert len(column(tmp_path / "core", "interactions", "item_id")) == len(PAIRS)
    assert column(tmp_path / "core", "items", "item_id") == ["z", "y", "x", "w"]


def test_impressions_do_not_count_as_interactions(tmp_path: Path) -> None:
    write(tmp_path / "ingested", [*PAIRS, ("c", "x")], ["view"] * len(PAIRS) + ["impression"])

    write_k_core(tmp_path / "ingested", tmp_path / "core", 2)

    assert column(tmp_path / "core", "users", "user_id") == ["a", "b"]


def test_an_empty_k_core_raises_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    write(tmp_path / "ingested", PAIRS)

    with pytest.raises(StepError, match=r"the 3-core of 6 .* smaller --min-interactions"):
        write_k_core(tmp_path / "ingested", tmp_path / "core", 3)


def test_an_interaction_without_a_user_raises_an_error(tmp_path: Path) -> None:
    write(tmp_path / "ingested", [*PAIRS, (None, "x")])

    with pytest.raises(StepError, match="1 of 7 interactions have no readable user_id"):
        write_k_core(tmp_path / "ingested", tmp_path / "core", 2)
