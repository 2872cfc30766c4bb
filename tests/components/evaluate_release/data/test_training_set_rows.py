"""What is read from a training set: all of a sample of users, and counts of everything."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.errors import StepError
from components.evaluate_release.data import training_set_rows
from components.evaluate_release.data.queries import read_windows
from components.evaluate_release.data.training_set_rows import TrainingSetRows
from feature_repo.feedback import FeedbackPolicy
from feature_repo.table_schemas import TIMESTAMP, TRAINING_SET
from tests.components.evaluate_release.ring_world import row

INDEX = pa.array([f"i{item}" for item in range(10)])


def read(tmp_path, *rows: dict[str, Any], limit: int = 100) -> TrainingSetRows:
    file = tmp_path / "training_set.parquet"
    pq.write_table(pa.Table.from_pylist(list(rows), TRAINING_SET), file)
    return TrainingSetRows.read(file, INDEX, 0, limit)


def test_rows_are_sorted_by_user_and_cutoff(tmp_path) -> None:
    rows = [row(2, [], [], 5, "test", 1), row(1, [], [], 9, "test", 1), row(1, [], [], 7, "validation", 1)]
    held_out = read(tmp_path, *rows).held_out
    assert held_out["user_id"].to_pylist() == ["u001", "u001", "u002"]
    assert held_out["split"].to_pylist() == ["validation", "test", "test"]
    assert held_out["cutoff"].type == TIMESTAMP


@pytest.mark.parametrize("rows_per_part", [1, 100])
def test_only_users_with_held_out_rows_are_kept_and_all_are_counted(
    tmp_path, monkeypatch, rows_per_part
) -> None:
    monkeypatch.setattr(training_set_rows, "ROWS_PER_PART", rows_per_part)
    rows = read(
        tmp_path,
        row(1, [0, 1], [10, 20], 30, "all"),
        row(1, [2], [40], 60, "all"),
        row(2, [0, 30], [5, 15], 60, "all"),
        row(1, [0], [10], 20, "train"),
        row(2, [0], [5], 15, "train"),
        row(1, [0, 1], [10, 20], 40, "test", 2),
        limit=2,
    )
    assert rows.held_out["user_id"].to_pylist() == ["u001"] * 3
    assert rows.held_out["split"].to_pylist() == ["all", "test", "all"]
    assert rows.windows["user_id"].to_pylist() == ["u001"] * 2  # with user 2's, above the limit
    assert (rows.trained_until, rows.trained_users) == (20, {"u001"})
    snapshot = rows.snapshot
    assert snapshot.item_counts.tolist() == [2, 1, 1] + [0] * 7
    assert snapshot.first_seen[:3].tolist() == [5, 20, 40]
    assert (snapshot.interactions, len(snapshot.users), snapshot.items) == (5, 2, 4)
    assert (snapshot.first, snapshot.last) == (5, 40)


def test_the_sampled_windows_are_those_of_the_whole_training_set(tmp_path) -> None:
    everything = [
        row(user, [user % 10], [user], 60, "all") for user in np.random.default_rng(1).permutation(40)
    ]
    sampled = read(tmp_path, *everything, row(0, [], [], 7, "test", 1), limit=15).windows
    table = pa.Table.from_pylist(everything, TRAINING_SET).sort_by("user_id")
    whole = read_windows(table, INDEX, 0, FeedbackPolicy(), limit=15).rows
    assert len(sampled) == 15
    assert sampled["user_id"].to_pylist() == whole["user_id"].to_pylist()


def test_a_missing_column_raises_with_its_name(tmp_path) -> None:
    pq.write_table(pa.table({"user_id": ["a"]}), tmp_path / "training_set.parquet")
    with pytest.raises(StepError, match=r"lacks the columns \['cutoff'"):
        TrainingSetRows.read(tmp_path / "training_set.parquet", INDEX, 0)
