"""The process of the chief of several workers: it trains and writes the outputs as one worker alone does.

`python -m components.train_interest_model.workers.chief TASK RESULT`: a file with the task, see `chief_task`,
and the file for what came of it.
"""

import sys
import traceback
from pathlib import Path
from typing import Final

import tensorflow as tf

from components.errors import StepError
from components.mlflow_client import connect, mlflow_errors
from components.train_interest_model.experiment_tracking import Tracker
from components.train_interest_model.training import train
from components.train_interest_model.workers.chief_task import ChiefTask, Result
from components.train_interest_model.workers.local_workers import end_with_step

# What TensorFlow raises when another worker has ended.
_LOST_WORKER: Final = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.UnavailableError,
)


def run(task: ChiefTask) -> Result:
    """Train; return the figures, or the error of a training that would fail again.

    Raises:
        OpError: another worker has ended.
    """
    try:
        with mlflow_errors(task.tracking_uri):
            tracker = Tracker(connect(task.tracking_uri), task.run_id)
            return Result(figures=train(**task.arguments(), tracker=tracker, group=task.group))
    except _LOST_WORKER:
        raise
    except StepError as error:
        return Result(error=str(error))
    except Exception as error:
        traceback.print_exc()
        return Result(error=f"the first worker failed: {type(error).__name__}: {error}")


if __name__ == "__main__":
    end_with_step()
    run(ChiefTask.read(Path(sys.argv[1]))).write(Path(sys.argv[2]))
