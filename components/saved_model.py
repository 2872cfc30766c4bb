"""The interest model as it is served, run offline."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from components.errors import StepError
from feature_repo import attributes
from feature_repo.attributes import Attributes
from feature_repo.contract import SIGNATURES
from feature_repo.histories import History, encode
from feature_repo.interest_state import InterestBatch

# Padded positions in one batch: keeps memory flat whatever the histories' length.
POSITIONS = 16_384


class ServedModel:
    """A SavedModel opened as TensorFlow Serving's loader does: a graph and a session, no Python objects.

    `tf.saved_model.load` would hide a variable that TensorFlow Serving can't find; a session doesn't.
    """

    # Those of the contract that must be there.
    NEEDED: ClassVar[tuple[str, ...]] = tuple(SIGNATURES)

    def __init__(self, directory: Path) -> None:
        """Open `directory`, which holds saved_model.pb.

        Raises:
            StepError: there is no SavedModel, or it lacks a signature that is needed.
        """
        import tensorflow as tf

        if not (directory / "saved_model.pb").exists():
            raise StepError(
                f"no SavedModel at {directory}: expected saved_model.pb; run 'Train interest model' again"
            )
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            loaded = tf.compat.v1.saved_model.load(self._session, ["serve"], str(directory))
        if missing := sorted(set(self.NEEDED) - set(loaded.signature_def)):
            raise StepError(
                f"SavedModel {directory} has the signatures {sorted(loaded.signature_def)}, "
                f"not {', '.join(missing)}"
            )
        self._signatures = {name: loaded.signature_def[name] for name in self.NEEDED}

    def run(self, signature: str, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Inputs and outputs by the names of the contract."""
        definition = self._signatures[signature]
        fetches = {name: tensor.name for name, tensor in definition.outputs.items()}
        feeds = {definition.inputs[name].name: value for name, value in inputs.items()}
        outputs: dict[str, NDArray[Any]] = self._session.run(fetches, feeds)
        return outputs

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class SavedInterestModel(ServedModel):
    """Its `serving_default` over many histories at once: the offline stand-in of InterestClient."""

    NEEDED = ("serving_default",)

    def interest(
        self, histories: Sequence[History], users: Sequence[Attributes] | None = None
    ) -> NDArray[np.float32]:
        """[histories, interest size] float32; as `interests` does."""
        return self.interests(histories, users).interest

    def interests(
        self, histories: Sequence[History], users: Sequence[Attributes] | None = None
    ) -> InterestBatch:
        """Interests and states in the order given; histories of like length share a batch.

        Args:
            users: what is known of each history's user beside it; None of nobody anything.

        Raises:
            StepError: the model answered a number that is not finite.
        """
        order = sorted(range(len(histories)), key=lambda position: len(histories[position]), reverse=True)
        parts, start = [], 0
        while start < len(order):
            rows = max(1, POSITIONS // (1 + len(histories[order[start]])))
            batch = order[start : start + rows]
            known = [users[position] if users else Attributes() for position in batch]
            inputs = encode([histories[position] for position in batch]) | attributes.encode(known)
            parts.append(self.run("serving_default", inputs))
            start += rows
        back = np.argsort(order)
        interest, state, as_of = (
            np.concatenate([part[name] for part in parts])[back] for name in ("interest", "state", "as_of")
        )
        if not np.isfinite(interest).all():
            raise StepError(
                "the interest model answers numbers that are not finite: it diverged in training; "
                "lower the learning rate or turn on gradient clipping"
            )
        return InterestBatch(interest, state, as_of.reshape(-1))
