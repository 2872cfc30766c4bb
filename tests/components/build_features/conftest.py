"""The Ibis backend of the tests' in-memory tables."""

from collections.abc import Iterator

import ibis
import pytest

from components.build_features.backend import connect


@pytest.fixture(scope="package", autouse=True)
def backend() -> Iterator[None]:
    previous = ibis.options.default_backend
    with connect() as backend:
        ibis.set_backend(backend)
        yield
        ibis.options.default_backend = previous
