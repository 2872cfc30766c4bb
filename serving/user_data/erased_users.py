"""The users who were erased, in the database of the interaction log: nothing is recorded of them.

The check for an erased user and the write of its rows are one transaction, so that no replica writes a row
after the erasure has deleted them.
"""

import secrets
import time
from collections.abc import Iterable
from typing import Final

import sqlalchemy as sa

from feature_repo.erased_users import ErasedUsers
from serving.errors import ErasedUser

METADATA: Final = sa.MetaData()

# One row, from the first erasure on; `version` grows with each change.
_STATE: Final = sa.Table(
    "erasures",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("salt", sa.LargeBinary, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
)
_USERS: Final = sa.Table(
    "erased_users",
    METADATA,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("erased_at", sa.BigInteger, nullable=False),  # µs since the epoch
)
# SQLite has at most 32,766 parameters in a statement.
_LOOKED_UP: Final = 10_000

VERSION: Final = sa.select(_STATE.c.version)
_SALT: Final = sa.select(_STATE.c.salt)
_DIGESTS: Final = sa.select(_USERS.c.digest)


def read(connection: sa.Connection) -> ErasedUsers:
    """Return all erased users."""
    salt = connection.execute(_SALT).scalar()
    return ErasedUsers(salt, frozenset(connection.execute(_DIGESTS).scalars())) if salt else ErasedUsers()


def among(connection: sa.Connection, user_ids: Iterable[str]) -> list[str]:
    """Return those of the ids that are erased, with a look-up of these alone.

    Before the first erasure `user_ids` is not read.
    """
    if (salt := connection.execute(_SALT).scalar()) is None:
        return []
    by_digest = {ErasedUsers(salt).digest(user_id): user_id for user_id in set(user_ids)}
    digests = list(by_digest)
    parts = [digests[start : start + _LOOKED_UP] for start in range(0, len(digests), _LOOKED_UP)]
    return [
        by_digest[digest]
        for part in parts
        for digest in connection.execute(_DIGESTS.where(_USERS.c.digest.in_(part))).scalars()
    ]


def refuse(connection: sa.Connection, user_ids: Iterable[str]) -> None:
    """Raise ErasedUser if one of the users is erased."""
    if among(connection, user_ids):
        raise ErasedUser


def add(connection: sa.Connection, user_id: str) -> None:
    """Add a user; a repeat changes nothing."""
    if connection.execute(_SALT).scalar() is None:
        connection.execute(sa.insert(_STATE).values(number=1, salt=secrets.token_bytes(32), version=0))
    if not among(connection, [user_id]):
        digest = ErasedUsers(connection.execute(_SALT).scalar_one()).digest(user_id)
        connection.execute(sa.insert(_USERS).values(digest=digest, erased_at=time.time_ns() // 1000))
        _count_change(connection)


def remove(connection: sa.Connection, user_id: str) -> bool:
    """Allow a user again; returns whether the user was erased."""
    if not among(connection, [user_id]):
        return False
    digest = ErasedUsers(connection.execute(_SALT).scalar_one()).digest(user_id)
    connection.execute(sa.delete(_USERS).where(_USERS.c.digest == digest))
    _count_change(connection)
    return True


def _count_change(connection: sa.Connection) -> None:
    connection.execute(sa.update(_STATE).values(version=_STATE.c.version + 1))
