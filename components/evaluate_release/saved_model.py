"""The interest model as it is served, run offline: histories to interest vectors."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from components.errors import StepError
from feature_repo.histories import History, encode
from serving.interest_client import Interests

# Padded positions in one batch: keeps memory flat whatever the histories' length.
POSITIONS = 16_384


class InterestModel:
    """A SavedModel's `serving_default`, loaded as TensorFlow Serving loads it: into a session."""

    def __init__(self, directory: Path) -> None:
        """Open `directory`, which holds saved_model.pb.

        Raises:
            StepError: there is no SavedModel with the contract's signature.
        """
        import tensorflow as tf

        if not (directory / "saved_model.pb").exists():
            raise StepError(
                f"no SavedModel at {directory}: expected saved_model.pb; run 'Train interest model' again"
            )
        # tf.saved_model.load would hide a variable that TensorFlow Serving's loader can't find.
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            meta = tf.compat.v1.saved_model.load(self._session, ["serve"], str(directory))
        if "serving_default" not in meta.signature_def:
            raise StepError(
                f"SavedModel {directory} has the signatures {sorted(meta.signature_def)}, not serving_default"
            )
        signature = meta.signature_def["serving_default"]
        self._inputs = {name: tensor.name for name, tensor in signature.inputs.items()}
        self._outputs = [signature.outputs[name].name for name in ("interest", "state", "as_of")]

    def interest(self, histories: Sequence[History]) -> NDArray[np.float32]:
        """[histories, interest size] float32; as `interests` does."""
        return self.interests(histories).interest

    def interests(self, histories: Sequence[History]) -> Interests:
        """Interests and states in the order given; histories of like length share a batch.

        Raises:
            StepError: the model answered a number that is not finite.
        """
        order = sorted(range(len(histories)), key=lambda position: len(histories[position]), reverse=True)
        parts, start = [], 0
        while start < len(order):
            rows = max(1, POSITIONS // (1 + len(histories[order[start]])))
            batch = encode([histories[position] for position in order[start : start + rows]])
            feed = {self._inputs[name]: values for name, values in batch.items()}
            parts.append(self._session.run(self._outputs, feed))
            start += rows
        back = np.argsort(order)
        interest, state, as_of = (np.concatenate(outputs)[back] for outputs in zip(*parts, strict=True))
        if not np.isfinite(interest).all():
            raise StepError(
                "the interest model answers numbers that are not finite: it diverged in training; "
                "lower the learning rate or turn on gradient clipping"
            )
        return Interests(interest, state, as_of.reshape(-1))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()
