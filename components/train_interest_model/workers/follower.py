"""A worker beside the chief: trains with it, and writes nothing.

`python -m components.train_interest_model.workers.follower FOLDER NUMBER`: the folder that the chief shares,
and the number of this worker among those beside the chief, from 0 on.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from components.train_interest_model.loop.distribution_strategy import make_strategy
from components.train_interest_model.loop.shared_data import receive
from components.train_interest_model.loop.trainer import make_trainer
from components.train_interest_model.network.model import InterestModel
from components.train_interest_model.training_start import prepare
from components.train_interest_model.workers.local_workers import end_with_step


def follow(folder: str, number: int) -> None:
    """Train until the chief ends."""
    with tempfile.TemporaryDirectory(prefix="penchant-") as scratch:
        addresses, shape, sequences = receive(folder, Path(scratch))
        prepare(shape.hyperparameters)
        strategy = make_strategy(addresses, 1 + number)
        content = np.zeros((shape.items, shape.content_size), np.float32)
        with strategy.scope():
            model = InterestModel(shape.hyperparameters, shape.items, shape.table_sizes, content)
        make_trainer(model, strategy, sequences).follow(sequences)


if __name__ == "__main__":
    end_with_step()
    follow(sys.argv[1], int(sys.argv[2]))
