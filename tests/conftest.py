"""Fixtures that tests of several folders use, and settings of libraries."""

import os
import shutil
from pathlib import Path

# This import must come before Feast's, as in the recommender: Feast sets an environment variable that makes a
# prometheus_client imported later share one set of counts between all registries of a process.
import prometheus_client  # noqa: F401
import pytest

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


@pytest.fixture(scope="session")
def empty_mlflow_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables, made once, because its migrations take seconds."""
    from mlflow import MlflowClient

    database = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{database}").search_experiments()
    return database


@pytest.fixture
def tracking_uri(empty_mlflow_database: Path, tmp_path: Path) -> str:
    """The URI of an empty MLflow database that no other test uses."""
    shutil.copy(empty_mlflow_database, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path}/mlflow.db"
