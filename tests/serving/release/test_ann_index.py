"""Tests of the index of a large catalog: its recall is measured, and too low a recall is an error."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.errors import ReleaseError
from serving.ranking.candidate_retrieval import Retriever
from serving.ranking.nearest_items import NearestItems
from serving.release import ann_index
from serving.release.ann_index import NEAREST, RECALL, pad, write_inverted_file
from serving.release.arrays import FloatArray
from serving.release.checksums import checksums
from serving.release.ranking_data import Ranking, write_ranking
from tests.serving.planted import filters, item_embeddings, items


def clustered(count: int, groups: int = 40, size: int = 13) -> FloatArray:
    random = np.random.default_rng(5)
    centres = random.normal(size=(groups, size))
    return (centres[np.arange(count) % groups] + 0.3 * random.normal(size=(count, size))).astype(np.float32)


def test_the_index_finds_the_nearest_items_and_reports_its_recall(tmp_path: Path) -> None:
    embeddings = clustered(4_000)
    interests = clustered(300, groups=7)
    entry = write_inverted_file(tmp_path, embeddings, interests, exact_items=1_000)
    assert entry["recall_at_100"] >= RECALL
    assert entry["measured_on"] == "300 interests"
    assert entry["index"] == "IVF63,SQ8"
    index = NearestItems(embeddings, file=tmp_path / NEAREST)
    results = [set(index.search(interest, 50).tolist()) for interest in interests[:20]]
    nearest = [set(np.argsort(-(embeddings @ interest))[:50].tolist()) for interest in interests[:20]]
    assert np.mean([len(a & b) / 50 for a, b in zip(results, nearest, strict=True)]) >= 0.95


def test_padding_keeps_products_unchanged() -> None:
    padded = pad(clustered(5))
    assert padded.shape == (5, 16)
    np.testing.assert_allclose(padded @ padded.T, clustered(5) @ clustered(5).T, rtol=1e-6)


def test_recall_is_measured_on_items_without_interests(tmp_path: Path) -> None:
    entry = write_inverted_file(tmp_path, clustered(2_000), None, exact_items=1_000)
    assert entry["measured_on"] == "500 items"


def test_a_small_catalog_gets_no_index_and_an_old_one_is_removed(tmp_path: Path) -> None:
    (tmp_path / NEAREST).write_text("index of an earlier, larger catalog")
    assert write_inverted_file(tmp_path, clustered(1_000), None, exact_items=1_000) == {}
    assert not (tmp_path / NEAREST).exists()


def test_probes_grow_until_the_recall_is_reached(tmp_path: Path) -> None:
    scattered = np.random.default_rng(1).normal(size=(4_000, 16)).astype(np.float32)
    entry = write_inverted_file(tmp_path, scattered, None, exact_items=1_000)
    assert entry["probes"] > write_inverted_file(tmp_path, clustered(4_000), None, 1_000)["probes"]


def test_an_index_with_too_low_a_recall_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ann_index, "_PROBES", (1,))
    scattered = np.random.default_rng(1).normal(size=(4_000, 16)).astype(np.float32)
    with pytest.raises(
        ReleaseError, match=r"finds 0\.\d+ of the 100 nearest items with 1 of 63 lists probed"
    ):
        write_inverted_file(tmp_path, scattered, None, exact_items=1_000)
    assert not (tmp_path / NEAREST).exists()


def write_release(directory: Path, exact_items: int) -> dict[str, Any]:
    model = directory / "model"
    model.mkdir(parents=True)
    ranking = directory / "ranking"
    write_ranking(
        ranking, items(), item_embeddings(), filters(), {"features": []}, model, exact_items=exact_items
    )
    return json.loads((ranking / "manifest.json").read_text())


def test_a_release_of_many_items_contains_the_index_and_its_checksum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.ranking.candidate_retrieval.EXHAUSTIVE_ITEMS", 1)
    manifest = write_release(tmp_path, exact_items=10)
    assert manifest["nearest"]["recall_at_100"] >= RECALL
    assert manifest["files"][f"ranking/{NEAREST}"] == checksums(tmp_path / "ranking")[NEAREST]
    ranking = Ranking.load(tmp_path / "ranking")
    assert ranking.nearest == tmp_path / "ranking" / NEAREST
    Retriever(ranking)


def test_a_release_of_few_items_contains_no_index(tmp_path: Path) -> None:
    manifest = write_release(tmp_path, exact_items=10_000)
    assert "nearest" not in manifest
    assert Ranking.load(tmp_path / "ranking").nearest is None
