"""Opens MLflow. A SQLite database comes into being with all its tables, or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from components.errors import StepError
from feature_repo.atomic_files import staging_directory
from feature_repo.store_addresses import without_password

if TYPE_CHECKING:
    from mlflow import MlflowClient

# A step waits 0, 4, 8, 16 and 32 s before it repeats a call: a server may restart meanwhile. MLflow itself
# would wait four minutes at each call, and two minutes for each answer.
LIMITS: Final = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "5", "MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}


def connect(tracking_uri: str) -> "MlflowClient":
    """Return a client of the experiments and the model registry at `tracking_uri`.

    MLflow makes and migrates the tables of a new database for seconds, and can't open one of which a
    migration was interrupted. It does so in a hidden file, so that this process can be killed at any time.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    set_limits(LIMITS)
    from mlflow import MlflowClient

    if tracking_uri.startswith("sqlite"):
        _create(tracking_uri)
    elif tracking_uri.startswith("postgresql"):
        _check_database(tracking_uri)
    return MlflowClient(tracking_uri, registry_uri=tracking_uri)


def _check_database(address: str) -> None:
    """Connect once to a database, since MLflow repeats a failed connection for 100 s with a warning each."""
    from sqlalchemy import create_engine

    engine = create_engine(address)
    try:
        engine.connect().close()
    finally:
        engine.dispose()


def set_limits(limits: dict[str, str]) -> None:
    """Set MLflow's limits of a call over HTTP, unless the environment has its own."""
    for name, value in limits.items():
        os.environ.setdefault(name, value)


@contextmanager
def mlflow_errors(tracking_uri: str) -> Iterator[None]:
    """Raise a StepError instead of MLflow's own errors, with the address and what to do."""
    from mlflow.exceptions import MlflowException
    from requests import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, RequestException, SQLAlchemyError) as error:
        where, reason = without_password(tracking_uri), _reason(error)
        raise StepError(f"MLflow at {where} gave no answer: {reason}; try again when it is up") from error


def _reason(error: Exception) -> str:
    """Return the first line of an error; of a failed connection what the network said, without the URL."""
    connection = error.__context__ if isinstance(error.__context__, OSError) else error
    exhausted = connection.args[0] if connection.args else None  # urllib3's MaxRetryError
    reason = getattr(exhausted, "reason", None)
    text = str(reason).split("): ", 1)[-1] if reason else str(error)
    return text.splitlines()[0]


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
