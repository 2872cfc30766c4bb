"""Runs the exported interest model offline."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from components.errors import StepError
from components.interest_batches import batches, compute_in_batches
from feature_repo import attributes
from feature_repo.attributes import Attributes
from feature_repo.contract import FORECAST, SIGNATURES
from feature_repo.histories import History, encode
from feature_repo.interest_state import InterestBatch


class ServedModel:
    """A SavedModel loaded as TensorFlow Serving does: a graph in a session, without Python objects.

    A variable that TensorFlow Serving can't find fails here too, but not with `tf.saved_model.load`.
    """

    # Signatures of the contract that the model must have.
    NEEDED: ClassVar[tuple[str, ...]] = tuple(SIGNATURES)

    def __init__(self, directory: Path) -> None:
        """Load `directory`, which contains saved_model.pb.

        Raises:
            StepError: there is no SavedModel, or a signature is missing.
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

    def run(
        self, signature: str, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str] = ()
    ) -> dict[str, NDArray[Any]]:
        """Run a signature; inputs and outputs are named as in the contract. No `outputs` means all."""
        definition = self._signatures[signature]
        fetches = {name: definition.outputs[name].name for name in outputs or definition.outputs}
        feeds = {definition.inputs[name].name: value for name, value in inputs.items()}
        results: dict[str, NDArray[Any]] = self._session.run(fetches, feeds)
        return results

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class SavedInterestModel(ServedModel):
    """Runs `serving_default` for many histories: the offline counterpart of InterestClient."""

    NEEDED = ("serving_default",)

    def interest(
        self, histories: Sequence[History], users: Sequence[Attributes] | None = None
    ) -> NDArray[np.float32]:
        """Return [histories, interest size] float32; arguments and errors as in `interests`."""
        return self.interests(histories, users).interest

    def interests(
        self, histories: Sequence[History], users: Sequence[Attributes] | None = None
    ) -> InterestBatch:
        """Return interests and states in the order of the histories, computed in batches of similar length.

        Args:
            users: the attributes of each history's user; None for no attributes.

        Raises:
            StepError: an interest is not finite.
        """
        return compute_in_batches(self._interests, histories, users)

    def forecast(
        self, histories: Sequence[History], users: Sequence[Attributes] | None = None
    ) -> NDArray[np.float32]:
        """Return [histories, FORECAST_STEPS, interest size] float32, the interests at the next steps."""
        parts: dict[int, NDArray[np.float32]] = {}
        for positions, batch, of_users in batches(histories, users):
            inputs = encode(batch) | attributes.encode(of_users)
            forecast = self.run("serving_default", inputs, [FORECAST])[FORECAST]
            parts |= dict(zip(positions, forecast, strict=True))
        return np.stack([parts[position] for position in range(len(histories))])

    def _interests(self, histories: Sequence[History], users: Sequence[Attributes]) -> InterestBatch:
        outputs = self.run("serving_default", encode(histories) | attributes.encode(users))
        return InterestBatch(outputs["interest"], outputs["state"], outputs["as_of"].reshape(-1))
