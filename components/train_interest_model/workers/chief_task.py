"""What the step gives to the process of the chief, and what comes back, in JSON files."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from components.train_interest_model.loop.worker_group import Group
from feature_repo.atomic_files import write_text_atomically
from feature_repo.feedback import FeedbackPolicy


@dataclass(frozen=True)
class ChiefTask:
    """The arguments of `training.train`, paths and the policy as text, and the run in MLflow."""

    training_set: str
    items: str
    split: str
    hyperparameters: dict[str, Any]
    output: str
    base_model: str | None
    feedback: str
    warm_start: str | None
    tracking_uri: str
    run_id: str
    group: Group | None = None

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `train`, but for the tracker and the group."""
        return {
            "training_set": Path(self.training_set),
            "items": Path(self.items),
            "split": self.split,
            "hyperparameters": self.hyperparameters,
            "output": Path(self.output),
            "base_model": Path(self.base_model) if self.base_model else None,
            "feedback": FeedbackPolicy.from_json(self.feedback),
            "warm_start": Path(self.warm_start) if self.warm_start else None,
        }

    def write(self, file: Path) -> None:
        file.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, file: Path) -> "ChiefTask":
        stored = json.loads(file.read_text())
        if group := stored["group"]:
            stored["group"] = Group(tuple(group["hosts"]), group["shared"], group["checkpoint"])
        return cls(**stored)


@dataclass(frozen=True)
class Result:
    """The figures of a training, or the error of one that would fail again."""

    figures: dict[str, float] | None = None
    error: str = ""

    def write(self, file: Path) -> None:
        write_text_atomically(file, json.dumps(asdict(self)))

    @classmethod
    def read(cls, file: Path) -> "Result":
        return cls(**json.loads(file.read_text()))
