"""Leaves the rows of erased users out of what is ingested."""

from duckdb import DuckDBPyConnection

from components.ingest_interactions.duckdb_session import literal
from feature_repo.erased_users import ErasedUsers


def without_erased(connection: DuckDBPyConnection, query: str, erased: ErasedUsers) -> str:
    """Return the query without the rows of these users."""
    if not erased:
        return query
    distinct = f"SELECT DISTINCT user_id FROM ({query}) WHERE user_id IS NOT NULL"
    found = erased.among(user_id for (user_id,) in connection.execute(distinct).fetchall())
    if not found:
        return query
    return f"SELECT * FROM ({query}) WHERE (user_id IN ({', '.join(map(literal, found))})) IS NOT TRUE"
