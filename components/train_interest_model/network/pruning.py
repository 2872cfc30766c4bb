"""Magnitude pruning: sets the smallest weights of an encoder's kernels to zero."""

import numpy as np

from components.train_interest_model.network.encoders import Encoder


def prune(encoder: Encoder, share: float) -> None:
    """Set the smallest `share` of each kernel's weights to zero, in place; biases are not pruned.

    Each kernel is pruned separately, since input and state weights differ in magnitude (Han et al. 2015,
    "Learning both Weights and Connections for Efficient Neural Networks").
    """
    for variable in encoder.trainable_variables:
        kernel = variable.numpy()
        zeros = int(share * kernel.size)
        if kernel.ndim < 2 or not zeros:
            continue
        smallest = np.argpartition(np.abs(kernel), zeros - 1, axis=None)[:zeros]
        kernel.reshape(-1)[smallest] = 0
        variable.assign(kernel)
