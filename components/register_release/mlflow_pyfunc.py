"""Lets `mlflow.pyfunc.load_model` load a registered release: it runs the interest model."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_repo.contract import INTEREST_MODEL


class InterestPyfunc:
    """Maps the contract's sequence inputs, each [batch, length], to interest, state and as_of."""

    def __init__(self, saved_model: Path) -> None:
        import tensorflow as tf

        self._model = tf.saved_model.load(str(saved_model))

    def predict(self, inputs: dict[str, NDArray[Any]], params: Any = None) -> dict[str, NDArray[Any]]:
        """Run `serving_default`; MLflow passes `params`, which have no effect."""
        import tensorflow as tf

        # MLflow passes NumPy strings, TensorFlow expects objects.
        tensors = {
            name: tf.constant(array.astype(object) if array.dtype.kind == "U" else array)
            for name, array in inputs.items()
        }
        outputs = self._model.signatures["serving_default"](**tensors)
        return {name: np.asarray(tensor) for name, tensor in outputs.items()}


def _load_pyfunc(path: str) -> InterestPyfunc:
    """Load a release; MLflow calls the function by this name."""
    return InterestPyfunc(Path(path) / INTEREST_MODEL)
