"""Saves a trained model's weights with its settings, vocabulary and content encoder, without pickle."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from components.errors import StepError
from components.train_interest_model.data.item_content import ContentEncoder
from components.train_interest_model.data.vocabulary import Vocabulary
from components.train_interest_model.hyperparameters import Hyperparameters
from components.train_interest_model.network.model import InterestModel

WEIGHTS, CONTENT, ABOUT = "weights.npz", "content.npz", "interest_model.json"

# Variables with one row per item; rows are matched by item id.
ITEM_ROWS: Final = ("item_embeddings", "item_bias", "content", "trained")

# The variables of the forecast.
FORECAST: Final = ("forecast_persistence", "forecast_scale")


@dataclass(frozen=True)
class SavedWeights:
    """`arrays` is keyed by the variable's path in the model."""

    hyperparameters: Hyperparameters
    vocabulary: Vocabulary
    content: ContentEncoder
    epochs: int  # the epoch of these weights; 0: those that a warm start began with
    arrays: dict[str, NDArray[Any]]

    @classmethod
    def of(
        cls,
        model: InterestModel,
        vocabulary: Vocabulary,
        content: ContentEncoder,
        epochs: int,
    ) -> "SavedWeights":
        arrays = {variable.path: variable.numpy() for variable in model.weights}
        return cls(model.hyperparameters, vocabulary, content, epochs, arrays)

    def save(self, directory: Path) -> None:
        """Write the files WEIGHTS, CONTENT and ABOUT."""
        directory.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = {path.replace("/", "|"): array for path, array in self.arrays.items()}
        np.savez(directory / WEIGHTS, **arrays)
        self.content.save(directory / CONTENT)
        about = {
            "hyperparameters": self.hyperparameters.to_dict(),
            "vocabulary": self.vocabulary.to_dict(),
            "epochs": self.epochs,
        }
        (directory / ABOUT).write_text(json.dumps(about))

    @classmethod
    def load(cls, directory: Path) -> "SavedWeights":
        """Load the output of a training.

        Raises:
            StepError: a file is missing.
        """
        missing = [name for name in (WEIGHTS, CONTENT, ABOUT) if not (directory / name).exists()]
        if missing:
            raise StepError(
                f"base model {directory} has no {', '.join(missing)}: use the output directory of a training"
            )
        about = json.loads((directory / ABOUT).read_text())
        # An earlier version had no history mean and one member, and did not say so.
        hyperparameters = {"history_mean": "off", "members": 1, **about["hyperparameters"]}
        with np.load(directory / WEIGHTS, allow_pickle=False) as saved:
            arrays = {name.replace("|", "/"): saved[name] for name in saved.files}
        return cls(
            Hyperparameters.from_dict(hyperparameters),
            Vocabulary(**about["vocabulary"]),
            ContentEncoder.load(directory / CONTENT),
            about["epochs"],
            arrays,
        )

    def assign_to(self, model: InterestModel, vocabulary: Vocabulary) -> None:
        """Assign the weights to `model`; items are matched by id, and new codes keep their initial rows.

        A new item's own embedding is zero until it is trained, so that its vector is its content's.
        """
        index = {item_id: row for row, item_id in enumerate(self.vocabulary.item_ids)}
        rows = np.array([index.get(item_id, -1) for item_id in vocabulary.item_ids], np.int64)
        for variable in model.weights:
            if variable.name in ("content", "trained"):
                continue
            if variable.name in FORECAST and variable.path not in self.arrays:
                continue  # of an earlier version, which made no forecast
            value, saved = variable.numpy(), self.arrays[variable.path]
            if variable.name in ITEM_ROWS:
                if variable.name == "item_embeddings":
                    value, saved = np.zeros_like(value), saved * self._array("trained")
                value[rows >= 0] = saved[rows[rows >= 0]]
            else:
                value[tuple(slice(size) for size in saved.shape)] = saved
            variable.assign(value)

    def trained(self, vocabulary: Vocabulary) -> NDArray[np.bool_]:
        """Return [items] whether each item of `vocabulary` was in the training data of these weights."""
        flags = self._array("trained")[:, 0] > 0
        trained = {item_id for item_id, flag in zip(self.vocabulary.item_ids, flags, strict=True) if flag}
        return np.array([item_id in trained for item_id in vocabulary.item_ids], np.bool_)

    def _array(self, name: str) -> NDArray[Any]:
        return next(array for path, array in self.arrays.items() if path.rsplit("/", 1)[-1] == name)
