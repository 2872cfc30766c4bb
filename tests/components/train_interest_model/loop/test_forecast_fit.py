"""The coefficients of the forecast, on data whose right coefficients are known."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pytest

from components.train_interest_model.data.sequences import encode, read_rows
from components.train_interest_model.data.vocabulary import Vocabulary
from components.train_interest_model.export.saved_weights import FORECAST, SavedWeights
from components.train_interest_model.loop.forecast_fit import Likelihood, fit_forecast, targets_ahead
from components.train_interest_model.loop.validation_metrics import Validation
from components.train_interest_model.network.model import InterestModel
from feature_repo.contract import FORECAST_STEPS
from feature_repo.table_schemas import TRAINING_SET
from tests.components.train_interest_model.conftest import World, history_row
from tests.components.train_interest_model.restored_model import restored


def queries(*asked: tuple[str, int, str]) -> pa.Table:
    """Return rows of the training set: user, length of the history, target."""
    rows = [history_row(user, "validation", ["i0"] * length, target) for user, length, target in asked]
    return pa.Table.from_pylist(rows, schema=TRAINING_SET)


@pytest.mark.parametrize(("persistence", "scale"), [(0.3, 0.8), (0.8, 1.2)])
def test_the_coefficients_that_drew_the_targets_are_found(persistence: float, scale: float) -> None:
    random = np.random.default_rng(1)
    present, mean = (random.normal(size=(4_000, 8)).astype(np.float32) for _ in range(2))
    scoring = random.normal(size=(30, 9)).astype(np.float32)
    interests = scale * (mean + persistence * (present - mean))
    logits = interests @ scoring[:, :-1].T + scoring[:, -1]
    targets = (logits + random.gumbel(size=logits.shape)).argmax(axis=1).astype(np.int32)

    found = Likelihood.of(
        present, mean, targets, [np.zeros(0, np.int32)] * len(targets), scoring, random
    ).best()

    assert found == pytest.approx([persistence, scale], abs=0.05)


def test_a_seen_item_is_no_alternative() -> None:
    random = np.random.default_rng(1)
    interests = np.eye(2, dtype=np.float32)[np.zeros(100, int)]
    scoring = np.array([[3, 0, 0], [1, 0, 0], [0, 0, 0]], np.float32)
    targets = np.ones(100, np.int32)

    free, filtered = (
        Likelihood.of(
            interests, interests, targets, [np.array(seen, np.int32)] * 100, scoring, random
        ).best()[1]
        for seen in ([], [0])
    )

    assert free == pytest.approx(0.1)  # the lower bound: item 0 would have been more probable
    assert filtered == pytest.approx(2)


def test_targets_ahead_are_those_of_later_steps_of_the_same_user() -> None:
    vocabulary = Vocabulary([f"i{number}" for number in range(9)], ["view"], [])
    table = queries(
        ("a", 1, "i1"), ("a", 2, "i2"), ("a", 2, "i3"), ("a", 3, "i4"), ("b", 0, "i5"), ("b", 1, "i6")
    )

    ahead = [(rows.tolist(), targets.tolist()) for rows, targets in targets_ahead(encode(table, vocabulary))]

    # Row 2 is of the same step as row 1, and row 4 has no history to forecast from.
    assert ahead == [([0, 1], [2, 4]), ([0], [4]), ([], []), ([], [])]
    assert len(ahead) == FORECAST_STEPS - 1


def forecast(model: InterestModel, present: Any, mean: Any) -> Any:
    return model.forecast(np.float32(present), np.float32(mean)).numpy()


def test_with_one_query_a_user_each_step_is_the_present_interest(cycle: World, learned_cycle: Path) -> None:
    model = restored(SavedWeights.load(learned_cycle), cycle)

    assert (forecast(model, [[1.0, 2.0]], [[5.0, 5.0]]) == [1.0, 2.0]).all()


def test_steps_are_fitted_to_what_users_chose_later(cycle: World, learned_cycle: Path) -> None:
    saved = SavedWeights.load(learned_cycle)
    model = restored(saved, cycle)
    rows = read_rows(cycle.training_set, "validation")
    # Each user asks twice, and chooses the same item both times: what the model expects at once.
    cutoffs = pa.compute.add(rows["cutoff"].cast(pa.int64()), 1).cast(rows["cutoff"].type)
    later = rows.set_column(rows.column_names.index("cutoff"), "cutoff", cutoffs)
    both = pa.concat_tables([rows, later]).sort_by([("user_id", "ascending"), ("cutoff", "ascending")])

    queries = encode(both, saved.vocabulary)
    fit_forecast(model, Validation(queries, queries))

    persistence, scale = model.forecast.persistence.numpy(), model.forecast.scale.numpy()
    assert persistence == pytest.approx([1.0] * FORECAST_STEPS)
    assert (scale[0], scale[1]) == (1.0, pytest.approx(2.0))  # the upper bound: it is always right
    assert scale[2:] == pytest.approx(scale[1])  # further steps have no query


def test_weights_of_a_version_without_a_forecast_start_one(cycle: World, learned_cycle: Path) -> None:
    saved = SavedWeights.load(learned_cycle)
    for path in [path for path in saved.arrays if path.endswith(FORECAST)]:
        del saved.arrays[path]

    assert (forecast(restored(saved, cycle), [[1.0, 2.0]], [[5.0, 5.0]]) == [1.0, 2.0]).all()
