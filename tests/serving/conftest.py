"""Certificates, and an event that tests wait for."""

from collections.abc import Iterator
from threading import Event

import pytest

from tests.serving.tls import Certificates, issue


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return issue(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def gate() -> Iterator[Event]:
    """An event that keeps calls waiting until it is set, at the latest when the test ends."""
    event = Event()
    yield event
    event.set()
