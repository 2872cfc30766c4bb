"""Gives the user ids of an interaction log and of its exposures the next pseudonym key."""

from typing import Any, Final

import sqlalchemy as sa

from feature_repo.pseudonyms import Pseudonyms, WrongPseudonymKey
from serving.exposures import exposure_table
from serving.exposures.exposure_table import EXPOSURES
from serving.protos.recommender_pb2 import RecommendRequest
from serving.user_data import log_schema
from serving.user_data.interaction_table import INTERACTIONS, USER_SNAPSHOTS
from serving.user_data.log_connections import LogConnections
from serving.user_data.pseudonym_key import PSEUDONYM_KEY

# Old id -> new id, for the transaction alone.
_IDS: Final = sa.Table(
    "rekeyed_ids",
    sa.MetaData(),
    sa.Column("old", sa.Text, primary_key=True),
    sa.Column("new", sa.Text, nullable=False),
    prefixes=["TEMPORARY"],
)
_TABLES: Final = (INTERACTIONS, USER_SNAPSHOTS, EXPOSURES)
_STORED_KEY: Final = sa.select(PSEUDONYM_KEY.c.check_value)


def rekey(url: str, old: Pseudonyms, new: Pseudonyms, timeout_s: float = 3_600.0) -> int:
    """Replace all user ids, in one transaction; returns the number of users, 0 if it was done before.

    Raises:
        WrongPseudonymKey: the log has another key than these two.
        Unavailable: the database can't be reached, or another process writes to it all the time.
    """
    database = LogConnections(url, timeout_s, _create)
    try:
        with database.write("rotate the pseudonym key") as connection:
            log_schema.lock(connection)
            stored = connection.execute(_STORED_KEY).scalar()
            if stored == new.check:
                return 0
            if stored is not None and stored != old.check:
                raise WrongPseudonymKey(f"the interaction log {url}", stored, old.check)
            users = _replace_ids(connection, new)
            _replace_in_requests(connection, new)
            connection.execute(sa.delete(PSEUDONYM_KEY))
            connection.execute(sa.insert(PSEUDONYM_KEY).values(number=1, check_value=new.check))
            return users
    finally:
        database.close()


def _create(engine: sa.Engine) -> None:
    log_schema.create(engine)
    exposure_table.create(engine)


def _replace_ids(connection: sa.Connection, new: Pseudonyms) -> int:
    distinct = sa.union(*(sa.select(table.c.user_id) for table in _TABLES))
    ids = [user_id for user_id in connection.execute(distinct).scalars() if user_id]
    _IDS.create(connection)
    if ids:
        connection.execute(sa.insert(_IDS), [{"old": each, "new": new.of_earlier(each)} for each in ids])
    for table in _TABLES:
        replaced = sa.select(_IDS.c.new).where(_IDS.c.old == table.c.user_id).scalar_subquery()
        connection.execute(
            sa.update(table).where(table.c.user_id != sa.literal_column("''")).values(user_id=replaced)
        )
    _IDS.drop(connection)
    return len(ids)


def _replace_in_requests(connection: sa.Connection, new: Pseudonyms) -> None:
    """Replace the ids in the kept requests: the user's own, those of the history, and of followed users."""
    kept = sa.select(EXPOSURES.c.position, EXPOSURES.c.request).where(EXPOSURES.c.request.is_not(None))
    update = (
        sa.update(EXPOSURES)
        .where(EXPOSURES.c.position == sa.bindparam("row"))
        .values(request=sa.bindparam("content"))
    )
    for part in connection.execute(kept).partitions(1_000):
        rows: list[dict[str, Any]] = [
            {"row": position, "content": _rekeyed(content, new)} for position, content in part
        ]
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
