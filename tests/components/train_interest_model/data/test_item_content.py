"""The content encoder: term weights, projection, embedding columns, and reuse for a later catalog."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from components.train_interest_model.data.item_content import CONTENT_SIZE, ContentEncoder
from tests.components.train_interest_model.conftest import items_table


def test_few_terms_are_not_projected_and_have_rows_of_unit_length() -> None:
    items = items_table(
        ["a", "b", "c", "d"],
        categories=[["Noir"], ["Noir", "Drama"], ["Drama"], None],
        title=["the end", "the start", "Start again", None],
    )
    encoder = ContentEncoder.fit(items)
    assert encoder.terms == ["categories:Drama", "categories:Noir", "title:start", "title:the"]
    vectors = encoder.transform(items)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 1, 1, 0], rtol=1e-6)
    np.testing.assert_allclose(vectors[0], [0, 0.5**0.5, 0, 0.5**0.5], rtol=1e-6)


def test_embedding_columns_have_unit_length_and_missing_values_are_zero() -> None:
    items = items_table(["a", "b", "c"], picture=[[3.0, 4.0], None, [0.0, 2.0]])
    vectors = ContentEncoder.fit(items).transform(items)
    np.testing.assert_allclose(vectors, np.array([[0.6, 0.8], [0, 0], [0, 1]]), rtol=1e-6)


def test_many_terms_are_projected_and_similar_items_stay_similar() -> None:
    random = np.random.default_rng(0)
    topics = [[f"{topic}word{word}" for word in range(60)] for topic in range(4)]
    titles = [" ".join(random.choice(topics[place % 4], 12, replace=False)) for place in range(80)]
    items = items_table([str(place) for place in range(80)], title=titles)
    encoder = ContentEncoder.fit(items)
    assert len(encoder.terms) > CONTENT_SIZE
    vectors = encoder.transform(items)
    assert vectors.shape == (80, 79)
    alike = vectors @ vectors.T
    same = np.arange(80)[:, None] % 4 == np.arange(80) % 4
    np.fill_diagonal(alike, np.nan)
    assert np.nanmean(alike[same]) > 5 * np.nanmean(alike[~same])


def test_a_loaded_encoder_gives_the_same_vectors(tmp_path: Path) -> None:
    first = items_table(["a", "b", "c"], categories=[["x"], ["x", "y"], ["y"]], picture=[[1.0], [2.0], None])
    encoder = ContentEncoder.fit(first)
    encoder.save(tmp_path / "content.npz")
    second = items_table(["d", "a"], categories=[["y", "new"], ["x"]], picture=[[1.0, 2.0], [1.0]])
    loaded = ContentEncoder.load(tmp_path / "content.npz")
    np.testing.assert_array_equal(loaded.transform(second), encoder.transform(second))
    np.testing.assert_array_equal(loaded.transform(second)[1], encoder.transform(first)[0])


def test_an_encoder_suits_a_catalog_until_a_tenth_of_its_terms_are_new() -> None:
    ids = [str(place) for place in range(40)]
    words = [f"word{place // 2}" for place in range(40)]  # twenty, of two items each
    encoder = ContentEncoder.fit(items_table(ids, title=words))
    assert encoder.suits(items_table(ids[:20], title=words[:20]))
    for new, suits in ((2, True), (3, False)):
        renamed = [f"new{place // 2}" if place < 2 * new else word for place, word in enumerate(words)]
        assert encoder.suits(items_table(ids, title=renamed)) == suits
    assert not encoder.suits(items_table(ids, title=words, picture=[[1.0]] * 40))


SCRIPT = """
import hashlib, pyarrow as pa
from components.train_interest_model.data.item_content import ContentEncoder
titles = [" ".join(f"word{(place * step) % 211}" for step in range(1, 14)) for place in range(150)]
items = pa.table({"item_id": [str(place) for place in range(150)], "title": titles})
print(hashlib.sha256(ContentEncoder.fit(items).transform(items).tobytes()).hexdigest())
"""


def test_the_encoder_does_not_depend_on_the_hash_seed() -> None:
    said = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            cwd=Path(__file__).parents[4],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
