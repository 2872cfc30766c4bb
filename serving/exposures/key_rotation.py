"""Gives the user ids of an interaction log, of its exposures and preferences the next pseudonym key."""

from typing import Final

import sqlalchemy as sa

from feature_repo.pseudonyms import Pseudonyms, WrongPseudonymKey
from serving.exposures import exposure_table
from serving.exposures.exposure_table import EXPOSURES
from serving.exposures.followed_users import ENDS, SCANNED
from serving.protos.recommender_pb2 import RecommendRequest
from serving.user_data import log_schema
from serving.user_data.interaction_table import INTERACTIONS, USER_SNAPSHOTS
from serving.user_data.log_connections import LogConnections
from serving.user_data.preferences import PREFERENCES
from serving.user_data.pseudonym_key import PSEUDONYM_KEY

# Old id -> new id, for the transaction alone.
_IDS: Final = sa.Table(
    "rekeyed_ids",
    sa.MetaData(),
    sa.Column("old", sa.Text, primary_key=True),
    sa.Column("new", sa.Text, nullable=False),
    prefixes=["TEMPORARY"],
)
_TABLES: Final = (INTERACTIONS, USER_SNAPSHOTS, EXPOSURES, PREFERENCES)


def ids_to_rekey(url: str, old: Pseudonyms, new: Pseudonyms, timeout_s: float = 3_600.0) -> set[str] | None:
    """Return all user ids; None if they have the new key already. Raises as rekey."""
    database = LogConnections(url, timeout_s, _create)
    try:
        with database.write("read the user ids") as connection:
            return _ids_to_rekey(connection, old, new)
    finally:
        database.close()


def rekey(url: str, old: Pseudonyms, new: Pseudonyms, timeout_s: float = 3_600.0) -> None:
    """Replace all user ids, in one transaction, unless it was done before.

    Raises:
        WrongPseudonymKey: the log has another key than these two, or none.
        Unavailable: the database can't be reached, or another process writes to it all the time.
    """
    database = LogConnections(url, timeout_s, _create)
    try:
        with database.write("rotate the pseudonym key") as connection:
            log_schema.lock(connection)
            ids = _ids_to_rekey(connection, old, new)
            if ids is None:
                return
            _replace_ids(connection, ids, new)
            _replace_in_requests(connection, new)
            connection.execute(sa.delete(PSEUDONYM_KEY))
            connection.execute(sa.insert(PSEUDONYM_KEY).values(number=1, check_value=new.check))
    finally:
        database.close()


def _ids_to_rekey(connection: sa.Connection, old: Pseudonyms, new: Pseudonyms) -> set[str] | None:
    stored = connection.execute(sa.select(PSEUDONYM_KEY.c.check_value)).scalar()
    if stored == new.check:
        return None
    distinct = sa.union(*(sa.select(table.c.user_id) for table in _TABLES))
    ids = set(connection.execute(distinct).scalars()) - {""}
    if stored is None and ids:
        stored = ""  # a log of an earlier version, which has no row, holds the ids themselves
    if stored not in (None, old.check):
        place = f"the interaction log {connection.engine.url.render_as_string()}"
        raise WrongPseudonymKey(place, stored, old.check)
    return ids


def _create(engine: sa.Engine) -> None:
    log_schema.create(engine)
    exposure_table.create(engine)


def _replace_ids(connection: sa.Connection, ids: set[str], new: Pseudonyms) -> None:
    _IDS.create(connection)
    if ids:
        connection.execute(sa.insert(_IDS), [{"old": each, "new": new.of_earlier(each)} for each in ids])
    for table in _TABLES:
        replaced = sa.select(_IDS.c.new).where(_IDS.c.old == table.c.user_id).scalar_subquery()
        connection.execute(
            sa.update(table).where(table.c.user_id != sa.literal_column("''")).values(user_id=replaced)
        )
    _IDS.drop(connection)


def _replace_in_requests(connection: sa.Connection, new: Pseudonyms) -> None:
    """Replace the ids in the kept requests: the user's own, those of the history, and of followed users."""
    position = EXPOSURES.c.position
    first, last = connection.execute(ENDS).one()
    if first is None:
        return
    update = (
        sa.update(EXPOSURES).where(position == sa.bindparam("row")).values(request=sa.bindparam("content"))
    )
    for start in range(first, last + 1, SCANNED):
        kept = sa.select(position, EXPOSURES.c.request).where(
            position >= start, position < start + SCANNED, EXPOSURES.c.request.is_not(None)
        )
        rows = [
            {"row": row, "content": _rekeyed(content, new)} for row, content in connection.execute(kept).all()
        ]
        if rows:
            connection.execute(update, rows)


def _rekeyed(content: bytes, new: Pseudonyms) -> bytes:
    request = RecommendRequest.FromString(content)
    if request.user_id:
        request.user_id = new.of_earlier(request.user_id)
    for interaction in request.history:
        if interaction.user_id:
            interaction.user_id = new.of_earlier(interaction.user_id)
    request.followed_user_ids[:] = [new.of_earlier(user_id) for user_id in request.followed_user_ids]
    return request.SerializeToString()
