"""Leaves the rows of erased users out of what is ingested."""

from collections.abc import Sequence

from duckdb import DuckDBPyConnection

from components.ingest_interactions.duckdb_session import literal
from feature_repo.erased_users import ErasedUsers


def without_erased(connection: DuckDBPyConnection, query: str, erased: Sequence[ErasedUsers]) -> str:
    """Return the query without the rows of these users."""
    if not (found := erased_among(connection, query, erased)):
        return query
    return f"SELECT * FROM ({query}) WHERE (user_id IN ({', '.join(map(literal, found))})) IS NOT TRUE"


def erased_among(connection: DuckDBPyConnection, query: str, erased: Sequence[ErasedUsers]) -> list[str]:
    """Return the erased users of the rows of a query."""
    if not any(erased):
        return []
    distinct = f"SELECT DISTINCT user_id FROM ({query}) WHERE user_id IS NOT NULL ORDER BY user_id"
    user_ids = [user_id for (user_id,) in connection.execute(distinct).fetchall()]
    return [user_id for user_id in user_ids if any(user_id in users for users in erased)]
