"""Pruning sets the smallest weights of each kernel to zero."""

import numpy as np
import pytest

from components.train_interest_model.network.encoders import make_encoder
from components.train_interest_model.network.pruning import prune


@pytest.mark.parametrize("kind", ["lstm", "cnn"])
def test_the_smallest_share_of_each_kernel_becomes_zero(kind: str) -> None:
    encoder = make_encoder(kind, 8, 2)
    encoder.build((None, None, 4))
    before = [variable.numpy() for variable in encoder.trainable_variables]
    assert before
    prune(encoder, 0.75)
    for was, variable in zip(before, encoder.trainable_variables, strict=True):
        now = variable.numpy()
        if was.ndim == 1:
            np.testing.assert_array_equal(now, was)
            continue
        assert np.count_nonzero(now == 0) == int(0.75 * was.size)
        assert np.abs(was[now == 0]).max() <= np.abs(was[now != 0]).min()
        np.testing.assert_array_equal(now[now != 0], was[now != 0])


def test_a_share_of_zero_prunes_nothing() -> None:
    encoder = make_encoder("gru", 8, 1)
    encoder.build((None, None, 4))
    before = [variable.numpy() for variable in encoder.trainable_variables]
    assert before
    prune(encoder, 0.0)
    for was, variable in zip(before, encoder.trainable_variables, strict=True):
        np.testing.assert_array_equal(variable.numpy(), was)
