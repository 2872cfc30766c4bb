"""Stores exposures in the database of the interaction log, and reads them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final

import sqlalchemy as sa

from serving.exposures import followed_users
from serving.exposures.experiment_outcomes import ExperimentOutcomes
from serving.exposures.exposure import Exposure
from serving.exposures.exposure_rows import from_row
from serving.exposures.exposure_table import COLUMNS, EXPOSURES, Row, create, insert_statement
from serving.user_data import erased_users, log_schema
from serving.user_data.log_connections import LogConnections

# The newest answers of a user that count for a frequency cap: its time must not grow with what was shown.
MAX_ANSWERS: Final = 1_000

# Both drivers keep prepared statements, and an INSERT takes 1.5 KB for each row. So it has a power of two of
# rows, at most this many: with any number of rows, a recommender took 30 MB more.
_ROWS_PER_INSERT: Final = 256

# Later than any time, µs.
FOREVER: Final = 1 << 62

_ROW: Final = EXPOSURES.c
_USER, _REQUEST_ID = ([column.name for column in COLUMNS].index(name) for name in ("user_id", "request_id"))
_SHOWN: Final = (
    sa.select(_ROW.request_id, _ROW.item_ids)
    .where(
        _ROW.user_id == sa.bindparam("user"),
        _ROW.timestamp > sa.bindparam("after"),
        _ROW.timestamp < sa.bindparam("until"),
    )
    .order_by(_ROW.user_id.desc(), _ROW.timestamp.desc())
    .limit(MAX_ANSWERS)
)
_OF_USER: Final = (
    sa.select(*COLUMNS).where(_ROW.user_id == sa.bindparam("user")).order_by(_ROW.timestamp, _ROW.position)
)
_OF_REQUEST: Final = (
    sa.select(*COLUMNS).where(_ROW.request_id == sa.bindparam("request")).order_by(_ROW.position)
)
# In the order of time; `position` makes the order of equal times one order.
_BETWEEN: Final = (
    sa.select(_ROW.position, *COLUMNS)
    .where(
        _ROW.timestamp < sa.bindparam("end"),
        sa.tuple_(_ROW.timestamp, _ROW.position) > sa.tuple_(sa.bindparam("time"), sa.bindparam("position")),
    )
    .order_by(_ROW.timestamp, _ROW.position)
    .limit(sa.bindparam("batch_size"))
)
# An answer is later than the snapshot that it is based on, so the index of the times finds it.
_USERS: Final = (
    sa.select(_ROW.user_id)
    .where(
        _ROW.timestamp >= sa.bindparam("snapshot"),
        _ROW.timestamp < sa.bindparam("until"),
        _ROW.snapshot == sa.bindparam("snapshot"),
    )
    .distinct()
)


class ExposureStore:
    """A table of exposures in a SQL database.

    Connects at the first call; every method raises Unavailable if the database can't be reached.
    """

    def __init__(self, url: str, timeout_s: float = 5.0) -> None:
        """`timeout_s` limits each wait for a lock and each statement.

        Raises:
            ValueError: the URL is neither sqlite nor postgresql.
        """
        self._database = LogConnections(url, timeout_s, create)

    def append(self, rows: Sequence[Row]) -> None:
        """Store the exposures of all rows, as `row_of` returns them, or none, durably.

        Those of erased users are left out, and erased users are left out of the requests that name them.
        """
        with self._database.write("store exposures") as connection:
            log_schema.lock(connection, shared=True)
            for part in _parts(rows):
                insert = insert_statement(self._database.dialect, len(part))
                connection.exec_driver_sql(insert, tuple(chain.from_iterable(part)))
            named = chain((row[_USER] for row in rows), followed_users.followed_in(rows))
            if erased := erased_users.among(connection, named):
                connection.execute(sa.delete(EXPOSURES).where(_ROW.user_id.in_(erased)))
                stored = followed_users.requests_of([row[_REQUEST_ID] for row in rows])
                followed_users.leave_out(connection, stored, {}, set(erased))

    def shown(self, user_id: str, after: int, without_request: str, until: int = FOREVER) -> Counter[str]:
        """Count the answers in a time (µs) that showed each item to a user; item id -> answers.

        Of the newest MAX_ANSWERS, without those to the request `without_request`. Answers to the same request
        count once.
        """
        rows = self._database.read(_SHOWN, {"user": user_id, "after": after, "until": until})
        by_request: dict[str, set[str]] = {}
        for request_id, item_ids in rows:
            if request_id != without_request and item_ids:
                by_request.setdefault(request_id, set()).update(item_ids.split("\n"))
        return Counter(item for items in by_request.values() for item in items)

    def of_request(self, request_id: str) -> list[Exposure]:
        """Return the answers to a request, oldest first: more than one if it was sent again."""
        rows = self._database.query("read", _OF_REQUEST, {"request": request_id})
        return [from_row(row) for row in rows]

    def of_user(self, user_id: str) -> list[Exposure]:
        """Return all answers to a user, oldest first."""
        return [from_row(row) for row in self._database.query("read", _OF_USER, {"user": user_id})]

    def between(self, start: int, end: int, batch_size: int = 10_000) -> Iterator[list[Exposure]]:
        """Yield batches of what was shown from `start` until before `end` (µs), in the order of time."""
        parameters = {"time": start - 1, "position": 1 << 62, "end": end, "batch_size": batch_size}
        while rows := self._database.query("read", _BETWEEN, parameters):
            yield [from_row(row[1:]) for row in rows]
            parameters |= {"time": rows[-1].timestamp, "position": rows[-1].position}

    def users_of(self, snapshot: int, until: int) -> set[str]:
        """Return the users with an answer before `until` (µs) that the features as of `snapshot` gave."""
        rows = self._database.query("read", _USERS, {"snapshot": snapshot, "until": until})
        return {user_id for (user_id,) in rows if user_id}

    def delete_before(self, timestamp: int, limit: int = 10_000) -> int:
        """Delete at most `limit` exposures before `timestamp` (µs), oldest first; returns their number."""
        oldest = (
            sa.select(_ROW.position).where(_ROW.timestamp < timestamp).order_by(_ROW.timestamp).limit(limit)
        )
        return self._delete(_ROW.position.in_(oldest))

    def delete_user(self, user_id: str, start: int = 0, end: int = FOREVER) -> int:
        """Delete a user's exposures from `start` until before `end` (µs); returns their number."""
        return self._delete(sa.and_(_ROW.user_id == user_id, _ROW.timestamp >= start, _ROW.timestamp < end))

    def leave_out_followed(self, user_id: str) -> int:
        """Take a user out of the kept requests of others, who follow the user; returns their number."""
        return followed_users.leave_out_stored(self._database, user_id)

    def outcomes(self) -> ExperimentOutcomes:
        """Return what reads the outcomes of experiments, over the same connections."""
        return ExperimentOutcomes(self._database)

    def close(self) -> None:
        self._database.close()

    def _delete(self, condition: sa.ColumnElement[bool]) -> int:
        with self._database.write("delete exposures") as connection:
            return connection.execute(sa.delete(EXPOSURES).where(condition)).rowcount


def _parts(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Yield all rows in few parts of few different lengths."""
    start = 0
    while left := len(rows) - start:
        length = min(_ROWS_PER_INSERT, 1 << (left.bit_length() - 1))
        yield rows[start : start + length]
        start += length
