"""The Ibis backend of Feast's offline store."""

from collections.abc import Iterator
from contextlib import contextmanager

import ibis

from components.compute.address import IN_PROCESS, Compute
from components.compute.engine import connect


@contextmanager
def feast_backend(compute: Compute = IN_PROCESS, warehouse: str = "") -> Iterator[None]:
    """Open the default backend of Ibis, DuckDB or Spark, and close it at the end.

    Feast's offline store "duckdb" uses whatever the default backend is.

    Ibis opens a default backend by itself when there is none, but never closes it.

    Raises:
        StepError: PySpark or Java are missing, or Spark can't be reached.
    """
    previous = ibis.options.default_backend
    with connect(compute, warehouse) as engine:
        ibis.set_backend(engine.backend)
        try:
            yield
        finally:
            ibis.options.default_backend = previous
