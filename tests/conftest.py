"""Fixtures that tests of several folders use, and settings of libraries."""

import os
import shutil
from pathlib import Path

# This import must come before Feast's, as in the recommender: Feast sets an environment variable that makes a
# prometheus_client imported later share one set of counts between all registries of a process.
import prometheus_client  # noqa: F401
import pytest

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# The connections of the tests themselves; those of the product are tested with `dead_proxy`.
os.environ.setdefault("no_proxy", "localhost,127.0.0.1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


# Files with few long tests; started first, so that no process is left with one of them at the end.
LONGEST = ("end_to_end", "test_demo.py", "packaging", "train_interest_model")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of LONGEST first, in that order; all others keep their order."""

    def rank(item: pytest.Item) -> int:
        parts = item.path.parts
        return next((number for number, name in enumerate(LONGEST) if name in parts), len(LONGEST))

    items.sort(key=rank)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their argument: a compressed file holds the time, and all workers need the same ids."""
    return argname if isinstance(val, bytes) else None


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


@pytest.fixture
def dead_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names a proxy at which nothing listens, and no host that is reached without it."""
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.setenv(name, "")
    for name in ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
