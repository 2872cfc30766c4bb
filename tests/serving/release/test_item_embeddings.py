"""Embeddings come back from disk as near as their precision allows, and are searched at it."""

from pathlib import Path

import numpy as np
import pytest

from serving.ranking.nearest_items import NearestItems
from serving.release.item_embeddings import (
    EMBEDDINGS,
    SCALES,
    FloatArray,
    Precision,
    load_embeddings,
    save_embeddings,
)


def embeddings(count: int = 400) -> FloatArray:
    """A bias ten times as large as the rest, as that of a popular item."""
    random = np.random.default_rng(2)
    return np.concatenate(
        [random.normal(0, 0.3, (count, 12)), random.normal(0, 3, (count, 1))], axis=1, dtype=np.float32
    )


@pytest.mark.parametrize(("precision", "error"), [("float32", 0.0), ("float16", 5e-4), ("int8", 4e-3)])
def test_they_come_back_as_near_as_their_precision(
    tmp_path: Path, precision: Precision, error: float
) -> None:
    whole = embeddings()
    save_embeddings(tmp_path, whole, precision)
    back, known = load_embeddings(tmp_path)
    assert (known, back.dtype, back.shape) == (precision, np.float32, whole.shape)
    own, bias = np.abs(back - whole)[:, :-1], np.abs(back - whole)[:, -1]
    assert own.max() <= error * np.abs(whole[:, :-1]).max()
    assert bias.max() <= min(error, 5e-4) * np.abs(whole[:, -1]).max()
    assert (own.max() == 0) == (precision == "float32")


@pytest.mark.parametrize(
    ("precision", "bytes_"), [("float32", 13 * 4), ("float16", 13 * 2), ("int8", 12 + 8)]
)
def test_they_take_the_bytes_of_their_precision(tmp_path: Path, precision: Precision, bytes_: int) -> None:
    save_embeddings(tmp_path, embeddings(400), "int8")
    save_embeddings(tmp_path, embeddings(400), precision)
    files = [tmp_path / EMBEDDINGS, *([tmp_path / SCALES] if precision == "int8" else [])]
    assert sorted(tmp_path.iterdir()) == sorted(files)
    assert sum(file.stat().st_size - 128 for file in files) == 400 * bytes_


def test_an_item_of_zeros_stays_zero(tmp_path: Path) -> None:
    save_embeddings(tmp_path, np.zeros((3, 5), np.float32), "int8")
    np.testing.assert_array_equal(load_embeddings(tmp_path)[0], np.zeros((3, 5)))


@pytest.mark.parametrize(("precision", "share"), [("float32", 1.0), ("float16", 0.98), ("int8", 0.9)])
def test_a_search_finds_the_nearest_at_each_precision(precision: Precision, share: float) -> None:
    items, interests = embeddings(3_000), np.random.default_rng(4).normal(size=(20, 13)).astype(np.float32)
    index = NearestItems(items, precision)
    found = [set(index.search(interest, 50).tolist()) for interest in interests]
    nearest = [set(np.argsort(-(items @ interest))[:50].tolist()) for interest in interests]
    assert np.mean([len(a & b) / 50 for a, b in zip(found, nearest, strict=True)]) >= share
