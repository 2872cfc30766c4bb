"""Opens MLflow. A SQLite database comes into being with all its tables, or not at all."""

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from feature_repo.atomic_files import staging_directory

if TYPE_CHECKING:
    from mlflow import MlflowClient


def connect(tracking_uri: str) -> "MlflowClient":
    """Return a client of the experiments and the model registry at `tracking_uri`.

    MLflow makes and migrates the tables of a new database for seconds, and can't open one of which a
    migration was interrupted. It does so in a hidden file, so that this process can be killed at any time.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient

    if tracking_uri.startswith("sqlite"):
        _create(tracking_uri)
    return MlflowClient(tracking_uri, registry_uri=tracking_uri)


def _create(tracking_uri: str) -> None:
    """Make the database unless there is one."""
    from mlflow import MlflowClient
    from sqlalchemy import make_url

    url = make_url(tracking_uri)
    database = Path(url.database or "").absolute()
    if database.exists():
        return
    with staging_directory(database) as staged:
        hidden = url.set(database=str(staged / database.name))
        MlflowClient(hidden.render_as_string(hide_password=False)).search_experiments()
        with suppress(FileExistsError):  # another process was faster, and may have written rows
            os.link(staged / database.name, database)
