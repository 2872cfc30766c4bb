"""The DuckDB connection of Feast's offline store."""

import duckdb
import ibis
import pytest

from components.feast_backend import feast_backend


def test_the_connection_is_closed_and_the_previous_default_backend_is_back() -> None:
    previous = ibis.options.default_backend
    with feast_backend():
        backend = ibis.get_backend()
        assert backend is not previous
    assert ibis.options.default_backend is previous
    with pytest.raises(duckdb.ConnectionException):
        backend.raw_sql("SELECT 1")
