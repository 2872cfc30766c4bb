"""Takes erased users out of the kept requests of others, who follow them."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from serving.exposures.exposure_table import COLUMNS, EXPOSURES, Row
from serving.protos.recommender_pb2 import RecommendRequest
from serving.user_data import log_schema
from serving.user_data.log_connections import LogConnections

# Rows of a statement, which is to end long before the time limit of the database.
SCANNED: Final = 5_000

_ROW: Final = EXPOSURES.c
_REQUEST: Final = [column.name for column in COLUMNS].index("request")
_HAS_BYTES: Final = {"sqlite": "instr(request, :id) > 0", "postgresql": "position(:id IN request) > 0"}
ENDS: Final = sa.select(sa.func.min(_ROW.position), sa.func.max(_ROW.position))


def followed_in(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the followed users of the requests in rows, as of `row_of`."""
    for row in rows:
        if row[_REQUEST]:
            yield from RecommendRequest.FromString(bytes(row[_REQUEST])).followed_user_ids


def leave_out_stored(database: LogConnections, user_id: str, scanned: int = SCANNED) -> int:
    """Take a user out of all kept requests, `scanned` rows at a time; returns the number of changed requests.

    Requests that are stored meanwhile are not seen: `ExposureStore.append` takes erased users out of them.
    """
    ((first, last),) = database.query("read", ENDS, {})
    if first is None:
        return 0
    found = _rows_with(database.dialect)
    changed = 0
    for start in range(first, last + 1, scanned):
        rows = {"id": user_id.encode(), "start": start, "end": start + scanned}
        if database.query("read", found, rows):
            with database.write("change exposures") as connection:
                log_schema.lock(connection)  # another erasure may change the same requests
                changed += leave_out(connection, found, rows, {user_id})
    return changed


def leave_out(
    connection: sa.Connection, found: sa.Select[Any], parameters: dict[str, Any], erased: set[str]
) -> int:
    """Take users out of requests; returns the number of changed ones.

    Args:
        found: the query of `position` and `request`, with its `parameters`.
    """
    changed = 0
    for position, content in connection.execute(found, parameters).all():
        request = RecommendRequest.FromString(content)
        kept = [user_id for user_id in request.followed_user_ids if user_id not in erased]
        if len(kept) < len(request.followed_user_ids):
            request.followed_user_ids[:] = kept
            row = sa.update(EXPOSURES).where(_ROW.position == position)
            connection.execute(row.values(request=request.SerializeToString()))
            changed += 1
    return changed


def requests_of(request_ids: Sequence[str]) -> sa.Select[Any]:
    """Return the query for `leave_out` of the kept requests with these ids."""
    return sa.select(_ROW.position, _ROW.request).where(
        _ROW.request_id.in_(request_ids), _ROW.request.is_not(None)
    )


def _rows_with(dialect: str) -> sa.Select[Any]:
    """Return the query of the rows from `start` until before `end` whose request has the bytes `id`."""
    return sa.select(_ROW.position, _ROW.request).where(
        _ROW.position >= sa.bindparam("start"),
        _ROW.position < sa.bindparam("end"),
        sa.text(_HAS_BYTES[dialect]),
    )
