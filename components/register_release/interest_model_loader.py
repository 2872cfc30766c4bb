"""Lets `mlflow.pyfunc.load_model` load a registered release: it runs the interest model.

A copy of this file is part of each registered model, so it imports nothing but the model's requirements.
"""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

# The folder of the SavedModel in a release: feature_repo.contract.INTEREST_MODEL.
FOLDER = "interest"


class InterestModel:
    """Maps histories and attributes of users, as in the signature, to interest, state and as_of."""

    def __init__(self, saved_model: Path) -> None:
        self._model = tf.saved_model.load(str(saved_model))

    def predict(self, inputs: dict[str, NDArray[Any]], params: Any = None) -> dict[str, NDArray[Any]]:
        """Run `serving_default`; MLflow passes `params`, which have no effect."""
        # MLflow passes NumPy strings, TensorFlow expects objects.
        tensors = {
            name: tf.constant(array.astype(object) if array.dtype.kind == "U" else array)
            for name, array in inputs.items()
        }
        outputs = self._model.signatures["serving_default"](**tensors)
        return {name: np.asarray(tensor) for name, tensor in outputs.items()}


def _load_pyfunc(path: str) -> InterestModel:
    """Load a release; MLflow calls the function by this name."""
    return InterestModel(Path(path) / FOLDER)
