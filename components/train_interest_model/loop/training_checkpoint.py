"""Saves a training's state in one file, replaced atomically after each epoch."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_repo.atomic_files import atomic_upload
from feature_repo.filesystems import locate

Weights = list[NDArray[Any]]


@dataclass
class TrainingState:
    """The progress of a training; epochs are counted from 1, and 0 is the start of a warm start.

    `start`: the validation metrics of the weights that a warm start begins with; {} otherwise.
    """

    epoch: int = 0
    step: int = 0
    best_epoch: int = 0
    best_ndcg: float = -1.0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    start: dict[str, float] = field(default_factory=dict)
    best_weights: Weights | None = None


class Checkpoint:
    """A checkpoint in `directory`, a path or an fsspec URL; only a training with the same `key` resumes."""

    def __init__(self, directory: str, key: str) -> None:
        self._filesystem, folder = locate(directory)
        self.file = f"{folder}/training.npz"
        self.key = key

    def save(self, state: TrainingState, model: Weights, optimizer: Weights) -> None:
        """Replace the file by this state, the weights of the model and the variables of the optimizer."""
        about = {"key": self.key, "state": {**asdict(state), "best_weights": None}}
        arrays: dict[str, Any] = {"about": np.array(json.dumps(about))}
        for name, weights in (("m", model), ("o", optimizer), ("b", state.best_weights or [])):
            arrays |= {f"{name}{number}": weight for number, weight in enumerate(weights)}
        with atomic_upload(self._filesystem, self.file) as staged:
            np.savez(staged, **arrays)

    def load(self) -> tuple[TrainingState, Weights, Weights] | None:
        """Return state, model weights and optimizer variables, None without a matching checkpoint."""
        if not self._filesystem.exists(self.file):
            return None
        with self._filesystem.open(self.file, "rb") as opened, np.load(opened, allow_pickle=False) as saved:
            about = json.loads(saved["about"].item())
            if about["key"] != self.key:
                return None
            parts = {name: _numbered(saved, name) for name in "mob"}
        state = TrainingState(**about["state"])
        state.best_weights = parts["b"] or None
        return state, parts["m"], parts["o"]

    def discard(self) -> None:
        if self._filesystem.exists(self.file):
            self._filesystem.rm(self.file)


def _numbered(saved: Mapping[str, NDArray[Any]], name: str) -> Weights:
    """Return the arrays `name`0, `name`1, … in order."""
    count = sum(key.startswith(name) for key in saved)
    return [saved[f"{name}{number}"] for number in range(count)]
