"""Synthetic data: exact sizes, the same rows again, and the habits of a shop."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pytest
from numpy.typing import NDArray

from components.ingest_interactions.inspection.file_inspection import inspect
from pipelines.synthetic_data import writer
from pipelines.synthetic_data.behaviour import EVENTS, Behaviour, simulate
from pipelines.synthetic_data.catalog import Catalog
from pipelines.synthetic_data.writer import Size, write


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.draw(np.random.default_rng(1), 2_000)


@pytest.fixture(scope="module")
def shop(catalog: Catalog) -> Behaviour:
    return simulate(np.random.default_rng(2), catalog, 2_000, 60_000, 1e-6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synthetic") / "shop"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "BLOCK", 300)
        write(folder, Size(users=100, items=40, interactions=1_001), seed=3)
    return folder


def categories(catalog: Catalog, items: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.searchsorted(catalog.starts, items, side="right") - 1


def test_a_folder_has_all_users_items_and_interactions(folder: Path) -> None:
    parts = list((folder / "interactions").iterdir())
    interactions = ds.dataset(folder / "interactions").to_table()

    assert len(parts) == 4
    assert len(interactions) == 1_001
    assert len(pc.unique(interactions["user_id"])) == 100
    assert len(ds.dataset(folder / "users.parquet").to_table()) == 100
    assert len(ds.dataset(folder / "items.parquet").to_table()) == 40


def test_the_same_size_and_seed_give_the_same_rows(folder: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "BLOCK", 300)
        write(tmp_path / "again", Size(users=100, items=40, interactions=1_001), seed=3)

    for file in [file.relative_to(folder) for file in folder.rglob("*.parquet")]:
        assert (folder / file).read_bytes() == (tmp_path / "again" / file).read_bytes()


def test_an_existing_folder_is_not_replaced(folder: Path) -> None:
    with pytest.raises(ValueError, match="exists already"):
        write(folder, Size(1, 1, 1), seed=0)


def test_a_user_needs_an_interaction() -> None:
    with pytest.raises(ValueError, match="as many interactions as users"):
        Size(users=10, items=5, interactions=9)


def test_a_few_users_have_all_interactions(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "BLOCK", 10)
        write(tmp_path / "few", Size(users=2, items=1, interactions=95), seed=0)

    assert ds.dataset(tmp_path / "few" / "interactions").count_rows() == 95


def test_a_run_understands_the_files(folder: Path) -> None:
    found = inspect("interactions", str(folder / "interactions"), {})

    assert found.problems == []
    assert {event.name: event.meaning for event in found.event_types}["dislike"] == "negative"
    assert inspect("items", str(folder / "items.parquet"), {}).problems == []


def test_the_times_of_a_user_ascend(shop: Behaviour) -> None:
    same_user = shop.owners[1:] == shop.owners[:-1]

    assert np.all(shop.times[1:][same_user] >= shop.times[:-1][same_user])
    assert shop.times.min() >= 0
    assert shop.times.max() <= 1


def test_an_item_is_chosen_only_after_its_release(catalog: Catalog, shop: Behaviour) -> None:
    first_of_category = np.isin(shop.items, catalog.starts)  # chosen where nothing is released yet

    assert 0.3 < (catalog.released > 0).mean() < 0.5
    assert np.all((catalog.released[shop.items] <= shop.times)[~first_of_category])


def test_popularity_has_a_long_tail(catalog: Catalog, shop: Behaviour) -> None:
    counts = np.sort(np.bincount(shop.items, minlength=2_000))[::-1]

    assert counts[:200].sum() > 0.4 * counts.sum()
    assert (counts > 0).mean() > 0.9


def test_the_favourite_category_of_many_users_changes(catalog: Catalog, shop: Behaviour) -> None:
    chosen = categories(catalog, shop.items)
    bounds = np.searchsorted(shop.owners, np.arange(2_001))
    halves = [
        (np.bincount(own[: len(own) // 2]).argmax(), np.bincount(own[len(own) // 2 :]).argmax())
        for own in (chosen[start:end] for start, end in pairwise(bounds))
        if len(own) >= 40
    ]

    assert len(halves) > 100
    assert 0.2 < np.mean([before != after for before, after in halves]) < 0.7


def test_users_choose_items_again_and_then_buy_more(shop: Behaviour) -> None:
    pairs = shop.owners * 2_000 + shop.items
    is_repeat = np.ones(len(pairs), bool)
    is_repeat[np.unique(pairs, return_index=True)[1]] = False
    bought = shop.events == EVENTS.index("purchase")

    assert 0.1 < is_repeat.mean() < 0.4
    assert bought[is_repeat].mean() > 1.5 * bought[~is_repeat].mean()


def test_dislikes_are_few(shop: Behaviour) -> None:
    share = (shop.events == EVENTS.index("dislike")).mean()

    assert 0.01 < share < 0.05
