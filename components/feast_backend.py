"""The DuckDB connection of Feast's offline store."""

from collections.abc import Iterator
from contextlib import contextmanager

import ibis


@contextmanager
def feast_backend() -> Iterator[None]:
    """Open DuckDB as the default backend of Ibis, which Feast uses, and close it at the end.

    Ibis opens a default backend by itself when there is none, but never closes it.
    """
    previous, backend = ibis.options.default_backend, ibis.duckdb.connect()
    ibis.set_backend(backend)
    try:
        yield
    finally:
        ibis.options.default_backend = previous
        backend.disconnect()
