"""Tests of stored and searched embeddings at each precision."""

from pathlib import Path

import numpy as np
import pytest

from serving.ranking.nearest_items import NearestItems
from serving.release.arrays import FloatArray
from serving.release.item_embeddings import (
    EMBEDDINGS,
    SCALES,
    Precision,
    load_embeddings,
    save_embeddings,
)


def embeddings(count: int = 400) -> FloatArray:
    """Return embeddings whose bias is ten times as large as the rest, as that of a popular item."""
    random = np.random.default_rng(2)
    return np.concatenate(
        [random.normal(0, 0.3, (count, 12)), random.normal(0, 3, (count, 1))], axis=1, dtype=np.float32
    )


@pytest.mark.parametrize(("precision", "error"), [("float32", 0.0), ("float16", 5e-4), ("int8", 4e-3)])
def test_loaded_embeddings_differ_by_at_most_the_precision(
    tmp_path: Path, precision: Precision, error: float
) -> None:
    original = embeddings()
    save_embeddings(tmp_path, original, precision)
    loaded, loaded_precision = load_embeddings(tmp_path)
    assert (loaded_precision, loaded.shape) == (precision, original.shape)
    assert loaded.dtype == np.float32
    vectors, bias = np.abs(loaded - original)[:, :-1], np.abs(loaded - original)[:, -1]
    assert vectors.max() <= error * np.abs(original[:, :-1]).max()
    assert bias.max() <= min(error, 5e-4) * np.abs(original[:, -1]).max()
    assert (vectors.max() == 0) == (precision == "float32")


@pytest.mark.parametrize(
    ("precision", "bytes_"), [("float32", 13 * 4), ("float16", 13 * 2), ("int8", 12 + 8)]
)
def test_files_have_the_size_of_the_precision(tmp_path: Path, precision: Precision, bytes_: int) -> None:
    save_embeddings(tmp_path, embeddings(400), "int8")
    save_embeddings(tmp_path, embeddings(400), precision)
    files = [tmp_path / EMBEDDINGS, *([tmp_path / SCALES] if precision == "int8" else [])]
    assert sorted(tmp_path.iterdir()) == sorted(files)
    assert sum(file.stat().st_size - 128 for file in files) == 400 * bytes_


def test_zero_embeddings_stay_zero(tmp_path: Path) -> None:
    save_embeddings(tmp_path, np.zeros((3, 5), np.float32), "int8")
    np.testing.assert_array_equal(load_embeddings(tmp_path)[0], np.zeros((3, 5)))


@pytest.mark.parametrize(("precision", "share"), [("float32", 1.0), ("float16", 0.98), ("int8", 0.9)])
def test_search_finds_the_nearest_items_at_each_precision(precision: Precision, share: float) -> None:
    items, interests = embeddings(3_000), np.random.default_rng(4).normal(size=(20, 13)).astype(np.float32)
    index = NearestItems(items, precision)
    results = [set(index.search(interest, 50).tolist()) for interest in interests]
    nearest = [set(np.argsort(-(items @ interest))[:50].tolist()) for interest in interests]
    assert np.mean([len(a & b) / 50 for a, b in zip(results, nearest, strict=True)]) >= share
