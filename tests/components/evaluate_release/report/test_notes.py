"""Notes: trivial hit rates, too few users, an interest model that the blend does not use."""

from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pytest

from components.evaluate_release.data.queries import read_queries
from components.evaluate_release.report.notes import notes
from components.evaluate_release.report.results import EvaluationResults
from feature_repo.feedback import FeedbackPolicy
from feature_repo.table_schemas import TRAINING_SET
from tests.components.evaluate_release.ring_world import row

USED: dict[str, Any] = {"features": ["interest", "trend"], "weights": [0.5, 1.0], "log_loss": 2.0}


def results(items: int, seen: int, users: int = 50, blend: dict[str, Any] = USED) -> EvaluationResults:
    """Return the parts of an evaluation that the notes read: each user has seen `seen` of the items."""
    history, times = list(range(seen)), list(range(1, seen + 1))
    rows = [row(user, history, times, 100, "test", seen) for user in range(users)]
    index = pa.array([f"i{item}" for item in range(items)])
    everything = [row(user, history, times, 100, "all") for user in range(users)]
    table = pa.Table.from_pylist(everything + rows, TRAINING_SET)
    queries = read_queries(table, "test", index, 0, FeedbackPolicy())
    parts = {"test": queries, "catalog": range(items), "counts": {"test_users": users}, "blend": blend}
    return cast(EvaluationResults, SimpleNamespace(**parts))


def test_an_evaluation_without_faults_has_no_note() -> None:
    assert notes(results(items=40, seen=3)) == []


@pytest.mark.parametrize(("items", "seen", "trivial"), [(8, 0, 2), (13, 3, 2), (14, 3, 1), (24, 3, 0)])
def test_a_hit_rate_is_trivial_when_the_first_k_hold_all_that_is_left(
    items: int, seen: int, trivial: int
) -> None:
    found = [note.partition(":")[0] for note in notes(results(items, seen))]
    assert found == [f"HR@{k} is trivially 1 for 100% of the test queries" for k in (10, 20)[2 - trivial :]]


def test_too_few_users_are_told() -> None:
    assert notes(results(40, 3, users=4)) == [
        "there are no intervals: 4 of at least 30 users have test queries"
    ]


def test_an_unused_interest_model_is_told_with_what_it_would_gain() -> None:
    unused = {**USED, "weights": [0.0, 1.0], "log_loss_with_interest": 1.999}
    (note,) = notes(results(40, 3, blend=unused))
    assert "is 1.9990, without it 2.0000; a feature must lower it by more than 0.1%" in note
    (note,) = notes(results(40, 3, blend={**unused, "log_loss_with_interest": None}))
    assert "its scores are constant" in note
