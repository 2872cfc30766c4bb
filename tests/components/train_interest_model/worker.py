"""One training process, started by `test_workers` with TF_CONFIG."""

import json
import sys
from pathlib import Path

from components.train_interest_model.training import train
from feature_repo.feedback import FeedbackPolicy
from tests.components.train_interest_model.conftest import RecordingTracker


def main(training_set: str, items: str, hyperparameters: str, output: str) -> None:
    """Train, and write the metrics next to the output."""
    tracker, settings = RecordingTracker(), json.loads(hyperparameters)
    data = Path(training_set), Path(items)
    train(*data, "train", settings, Path(output), None, tracker, FeedbackPolicy())
    losses = [figures["loss"] for _, figures in tracker.metrics]
    Path(f"{output}.json").write_text(json.dumps(losses))


if __name__ == "__main__":
    main(*sys.argv[1:])
