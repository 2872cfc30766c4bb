"""The SavedModel run offline: order, batching, invalid models."""

import numpy as np
import pytest

from components.errors import StepError
from components.saved_model import SavedInterestModel
from feature_repo.histories import History
from tests.components.evaluate_release.ring_world import N_ITEMS


def history(*items: int) -> History:
    n = len(items)
    ids, times = [f"e{item}" for item in items], list(range(1, n + 1))
    return History(ids, [f"i{item}" for item in items], ["view"] * n, [1.0] * n, times)


def test_interests_are_in_the_order_of_the_histories(world) -> None:
    histories = [history(4), history(), history(1, 2, 3), history(7, 8)]
    with SavedInterestModel(world.interest_model / "saved_model") as model:
        interest = model.interest(histories)
    assert interest.dtype == np.float32
    assert interest.argmax(axis=1).tolist() == [5, 0, 4, 9]
    assert not interest[1].any()


def test_the_batch_size_does_not_change_interests(world, monkeypatch) -> None:
    histories = [history(*range(length)) for length in (3, 1, 0, 7, 2, 5)]
    with SavedInterestModel(world.interest_model / "saved_model") as model:
        whole = model.interest(histories)
        monkeypatch.setattr("components.interest_batches.POSITIONS", 9)
        assert np.array_equal(model.interest(histories), whole)


def test_a_missing_model_raises(tmp_path) -> None:
    with pytest.raises(StepError, match=r"expected saved_model\.pb"):
        SavedInterestModel(tmp_path)


def test_a_model_without_the_signature_raises(tmp_path) -> None:
    import tensorflow as tf

    tf.saved_model.save(tf.Module(), str(tmp_path / "other"))
    with pytest.raises(StepError, match="not serving_default"):
        SavedInterestModel(tmp_path / "other")


def test_numbers_that_are_not_finite_raise(world) -> None:
    with SavedInterestModel(world.interest_model / "saved_model") as model:
        model._session = Diverged()
        with pytest.raises(StepError, match="diverged"):
            model.interest([history(1)])


class Diverged:
    """A session whose model returns NaN."""

    def run(self, fetches, feed):
        return {name: np.full((1, N_ITEMS), np.nan) for name in fetches}

    def close(self) -> None:
        pass
