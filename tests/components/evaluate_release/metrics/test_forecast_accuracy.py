"""The forecast is compared with the present interest on users whose later choices are known."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from components.evaluate_release.data.queries import Queries
from components.evaluate_release.metrics.forecast_accuracy import ForecastStep, measure_forecast
from components.saved_model import SavedInterestModel
from feature_repo.attributes import Attributes
from feature_repo.contract import FORECAST_STEPS
from feature_repo.histories import History
from feature_repo.interaction import Interaction

ITEMS = 30
USERS = 40


class Ahead:
    """Expects at step s the item s after the newest one, with the logit `certainty`; others have 0."""

    def __init__(self, certainty: float) -> None:
        self.certainty = certainty

    def forecast(self, histories: Sequence[History], users: Sequence[Attributes]) -> NDArray[np.float32]:
        newest = np.array([int(history.item_ids[-1]) for history in histories])
        steps = newest[:, None] + 1 + np.arange(FORECAST_STEPS)
        return np.float32(self.certainty) * np.eye(ITEMS, dtype=np.float32)[steps % ITEMS]


def queries(lengths: Sequence[int]) -> Queries:
    """Return queries of users who choose item 0, 1, 2, …, after each of these lengths of the history."""
    rows = [(user, length) for user in range(USERS) for length in lengths]
    histories = [
        History().extend(Interaction(f"{at}", f"u{user}", f"{at}", "view", at + 1) for at in range(length))
        for user, length in rows
    ]
    seen = [np.arange(length, dtype=np.int32) for _, length in rows]
    return Queries(
        user_ids=[f"u{user}" for user, _ in rows],
        users=np.array([user for user, _ in rows]),
        cutoffs=np.array([length for _, length in rows]),
        targets=np.array([length for _, length in rows], np.int32),
        histories=histories,
        items=seen,
        timestamps=[np.arange(length) for _, length in rows],
        preferences=[np.ones(length, np.float32) for _, length in rows],
        seen=seen,
        sampled_from=len(rows),
        attributes=[Attributes()] * len(rows),
    )


def measured(lengths: Sequence[int], certainty: float = 10.0) -> list[ForecastStep]:
    model = cast(SavedInterestModel, Ahead(certainty))
    return measure_forecast(model, np.eye(ITEMS, dtype=np.float32), queries(lengths), seed=1)


def test_a_forecast_that_is_right_is_nearer_than_the_present_interest() -> None:
    steps = measured([2, 3, 4])

    assert [(step.step, step.queries) for step in steps] == [(2, 2 * USERS), (3, USERS)]
    for step in steps:
        # The present interest expects the item before, and all others are tied with the choice.
        assert (step.ndcg_at_10, step.present_ndcg_at_10, step.nearer) == (1.0, 0.0, 1.0)
        assert step.difference == (1.0, 1.0)
        assert step.hr_at_10 == 1.0
        assert step.expected == pytest.approx(1.0, abs=0.01)


def test_an_unsure_forecast_expects_few_hits() -> None:
    (step,) = measured([2, 3], certainty=0.0)

    # Of 28 items that the user has not seen, ten are in the list; ties count against the model.
    assert (step.ndcg_at_10, step.nearer) == (0.0, 0.5)
    assert step.expected == pytest.approx(10 / 28, abs=1e-3)


def test_one_query_a_user_says_nothing_about_later_steps() -> None:
    assert measured([2]) == []
