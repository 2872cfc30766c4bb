"""Fitting all filters of a release from the files of a run."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kfp.dsl import Artifact, Dataset, Model
from numpy.typing import NDArray

from components.errors import StepError
from components.train_collaborative_filters.component import train_collaborative_filters
from components.train_collaborative_filters.ease_cost import ease_cost
from components.train_collaborative_filters.fitting import FilterParameters, fit, fit_filters
from components.train_collaborative_filters.reading import read
from feature_repo.event_types import Kind
from feature_repo.feedback import FeedbackPolicy
from feature_repo.rating_scale import RatingScale
from serving.ranking import source_scores
from serving.release.arrays import Indexes
from serving.release.collaborative_filters import CollaborativeFilters
from tests.components.train_collaborative_filters.planted import checkerboard, interactions, signed, write

POLICY = FeedbackPolicy({"view": Kind.POSITIVE}, {"purchase": 2.0}, RatingScale(1, 5, 3.5, 1.1))
ITEMS = np.arange(12, dtype=np.int32)  # of the checkerboard


def als(filters: CollaborativeFilters, history: Indexes) -> NDArray[np.float32]:
    assert filters.als is not None
    scores: NDArray[np.float32] = filters.als @ source_scores.als_user(filters.als, history)
    return scores


def ease(filters: CollaborativeFilters, history: Indexes) -> NDArray[np.float32]:
    scores = source_scores.ease(filters, history)
    assert scores is not None
    return scores.sums


def sequence_knn(filters: CollaborativeFilters, history: Indexes) -> NDArray[np.float32]:
    assert filters.user_sequences is not None
    return source_scores.sequence_knn(filters.user_sequences, history, np.zeros(len(history), np.int64)).sums


FILTERS: dict[str, Callable[[CollaborativeFilters, Indexes], NDArray[np.float32]]] = {
    "transitions": lambda filters, history: source_scores.transitions(filters, history)[0].sums,
    "item_cosine": lambda filters, history: source_scores.item_cosine(filters, history).sums,
    "user_cosine": lambda filters, history: source_scores.user_cosine(filters, history).sums,
    "ease": ease,
    "als": als,
    "sequence_knn": sequence_knn,
}


@pytest.mark.parametrize("name", FILTERS)
def test_each_filter_finds_the_missing_item_of_the_checkerboard(name: str) -> None:
    world = checkerboard()
    filters = fit_filters(signed(world), FilterParameters())
    for user in range(world.user_count):
        history = world.items[world.users == user]
        scores = FILTERS[name](filters, history).copy()
        scores[history] = -np.inf
        (left_out,) = set(range(user % 2, 12, 2)) - set(history.tolist())
        assert np.argmax(scores) == left_out


def test_loaded_filters_equal_the_fitted_ones(tmp_path: Path) -> None:
    training_set, items = write(tmp_path, checkerboard())
    fit(training_set, items, "train", tmp_path / "filters", POLICY)
    loaded, fitted = (
        CollaborativeFilters.load(tmp_path / "filters"),
        fit_filters(signed(checkerboard()), FilterParameters()),
    )
    assert loaded.ease is not None
    assert fitted.ease is not None
    for name in ("transitions", "item_cosine", "user_items", "ease"):
        np.testing.assert_array_equal(getattr(loaded, name).toarray(), getattr(fitted, name).toarray())
    np.testing.assert_array_equal(loaded.popularity, fitted.popularity)
    np.testing.assert_array_equal(loaded.trend, fitted.trend)
    assert loaded.als is not None
    np.testing.assert_array_equal(loaded.als, fitted.als)
    assert loaded.user_sequences is not None
    assert fitted.user_sequences is not None
    np.testing.assert_array_equal(loaded.user_sequences.items, fitted.user_sequences.items)
    assert loaded.user_sequences.half_weight_hours == fitted.user_sequences.half_weight_hours


def test_the_component_saves_the_filters_of_its_split(tmp_path: Path) -> None:
    training_set, items = write(tmp_path, checkerboard())
    parity = [{"user_id": f"user-{user:02}", "parity": ("even", "odd")[user % 2]} for user in range(40)]
    pq.write_table(pa.Table.from_pylist(parity), tmp_path / "users.parquet")
    POLICY.write(tmp_path / "feedback.json")
    train_collaborative_filters.python_func(
        training_set=Dataset(uri=str(training_set)),
        items=Dataset(uri=str(items)),
        users=Dataset(uri=str(tmp_path / "users.parquet")),
        feedback=Artifact(uri=str(tmp_path / "feedback.json")),
        split="train",
        ease_max_items=11,
        collaborative_filters=Model(uri=str(tmp_path / "filters")),
    )
    filters = CollaborativeFilters.load(tmp_path / "filters")
    assert filters.feedback == POLICY
    assert filters.ease is None  # the checkerboard has 12 items
    assert filters.popularity.sum() == len(checkerboard())
    assert filters.segments is not None
    shares = filters.segments.shares({"parity": "odd"}, filters.trend, np.arange(12, dtype=np.int32))
    assert shares is not None
    assert set(np.argsort(-shares)[:6].tolist()) == {1, 3, 5, 7, 9, 11}


def test_fitting_again_replaces_the_filters(tmp_path: Path) -> None:
    training_set, items = write(tmp_path, checkerboard())
    fit(training_set, items, "train", tmp_path / "filters", POLICY)
    fit(training_set, items, "train", tmp_path / "filters", POLICY, FilterParameters(ease_max_items=0))
    assert CollaborativeFilters.load(tmp_path / "filters").ease is None


def test_saving_without_factors_deletes_the_previous_ones(tmp_path: Path) -> None:
    filters = fit_filters(signed(checkerboard()), FilterParameters())
    filters.save(tmp_path)
    replace(filters, als=None).save(tmp_path)
    assert CollaborativeFilters.load(tmp_path).als is None


def test_windows_of_a_user_are_joined_oldest_first(tmp_path: Path) -> None:
    world = interactions([range(10), [3, 1]], item_count=10)
    actual = read(*write(tmp_path, world, window=3), "train", POLICY).votes
    np.testing.assert_array_equal(actual.items, world.items)
    np.testing.assert_array_equal(actual.users, world.users)
    np.testing.assert_array_equal(actual.timestamps, world.timestamps)


def test_ease_of_200_000_items_is_estimated_at_320_gb_and_65_hours() -> None:
    gigabytes, seconds = ease_cost(200_000)
    assert (round(gigabytes), round(seconds / 3600)) == (320, 65)


def test_ease_is_skipped_for_a_large_catalog(capsys: pytest.CaptureFixture[str]) -> None:
    filters = fit_filters(signed(checkerboard()), FilterParameters(ease_max_items=11))
    assert filters.ease is None
    assert (
        "EASE: left out: 12 items would take about 0 GB and 0 s on two cores; PENCHANT_EASE_MAX_ITEMS is 11"
        in capsys.readouterr().out
    )


def test_filters_of_a_single_item_are_finite(tmp_path: Path) -> None:
    filters = fit_filters(signed(interactions([[0, 0], [0]], item_count=1)), FilterParameters())
    assert filters.popularity == pytest.approx([2 + np.log(2)])
    assert filters.item_cosine.nnz == 0
    assert filters.als is not None
    assert np.isfinite(filters.als).all()


def test_an_empty_split_raises(tmp_path: Path) -> None:
    training_set, items = write(tmp_path, checkerboard())
    with pytest.raises(StepError, match="no interaction of split 'all'"):
        fit(training_set, items, "all", tmp_path / "filters", POLICY)


def test_an_item_that_is_not_in_the_catalog_raises(tmp_path: Path) -> None:
    training_set, items = write(tmp_path, checkerboard())
    pq.write_table(pq.read_table(items).slice(0, 11), items)
    with pytest.raises(StepError, match="'item-11'"):
        fit(training_set, items, "train", tmp_path / "filters", POLICY)


def test_a_missing_column_raises(tmp_path: Path) -> None:
    training_set, items = write(tmp_path, checkerboard())
    pq.write_table(pq.read_table(training_set).drop_columns(["item_ids"]), training_set)
    with pytest.raises(StepError, match="item_ids"):
        fit(training_set, items, "train", tmp_path / "filters", POLICY)


def test_a_file_that_is_not_parquet_raises(tmp_path: Path) -> None:
    training_set, items = write(tmp_path, checkerboard())
    items.write_text("item_id\n")
    with pytest.raises(StepError, match=r"items\.parquet: expected a Parquet file"):
        fit(training_set, items, "train", tmp_path / "filters", POLICY)
