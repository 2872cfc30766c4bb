"""Tests that a ranking directory opens as it was written, and that inconsistent parts are an error."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from serving.errors import ReleaseError
from serving.release.collaborative_filters import CollaborativeFilters
from serving.release.ranking_data import Ranking, write_ranking
from tests.serving.planted import COUNT, filters, item_embeddings, items

FACTORS = np.random.default_rng(0).normal(size=(COUNT, 4)).astype(np.float32)


def write(directory: Path, filters: CollaborativeFilters) -> Path:
    (directory / "interest").mkdir(parents=True)
    write_ranking(directory, items(), item_embeddings(), filters, {}, directory / "interest")
    return directory


def test_als_factors_open_unchanged(tmp_path: Path) -> None:
    opened = Ranking.load(write(tmp_path / "1", replace(filters(), als=FACTORS)))
    np.testing.assert_array_equal(opened.filters.als, FACTORS)
    assert "ranking/als.npy" in opened.manifest["files"]


def test_a_release_without_als_factors_opens(tmp_path: Path) -> None:
    assert Ranking.load(write(tmp_path / "1", filters())).filters.als is None


def test_als_factors_of_another_number_of_items_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        ReleaseError, match=rf"each part of a release needs one row per item, got .*'als': {COUNT - 1}"
    ):
        write(tmp_path / "1", replace(filters(), als=FACTORS[1:]))


def test_opening_a_release_loads_no_pandas(tmp_path: Path) -> None:
    """Several functions of Arrow import pandas if it is installed."""
    directory = write(tmp_path / "1", filters())
    script = f"""
import sys
from pathlib import Path
from serving.ranking.loaded_release import LoadedRelease
from serving.release.ranking_data import Ranking
LoadedRelease(Ranking.load(Path({str(directory)!r})))
assert "pandas" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
