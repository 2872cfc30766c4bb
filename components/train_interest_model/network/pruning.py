"""Magnitude pruning: the smallest weights of an encoder's kernels set to zero."""

import numpy as np

from components.train_interest_model.network.encoders import Encoder


def prune(encoder: Encoder, share: float) -> None:
    """Set the smallest `share` of each kernel to zero, in place; biases stay.

    By kernel, since an input's weights and a state's differ in size (Han et al. 2015, "Learning both Weights
    and Connections for Efficient Neural Networks").
    """
    for variable in encoder.trainable_variables:
        kernel = variable.numpy()
        zeros = int(share * kernel.size)
        if kernel.ndim < 2 or not zeros:
            continue
        smallest = np.argpartition(np.abs(kernel), zeros - 1, axis=None)[:zeros]
        kernel.reshape(-1)[smallest] = 0
        variable.assign(kernel)
