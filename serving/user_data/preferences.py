"""What users set about their answers, in the database of the interaction log.

Each row has the number of its last change. A change locks the one row that counts them until its transaction
ends, so the numbers appear in order: who has read up to one has missed none before it.
"""

import time
from typing import Final

import sqlalchemy as sa

from serving.user_data.log_statements import insert

METADATA: Final = sa.MetaData()

_CHANGES: Final = sa.Table(
    "preference_changes",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("last", sa.BigInteger, nullable=False),
)
PREFERENCES: Final = sa.Table(
    "preferences",
    METADATA,
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("personalized", sa.Boolean, nullable=False),
    sa.Column("change", sa.BigInteger, nullable=False, index=True),
    sa.Column("changed_at", sa.BigInteger, nullable=False),  # µs since the epoch
)
_ROW: Final = PREFERENCES.c

LAST: Final = sa.select(_CHANGES.c.last)
SINCE: Final = (
    sa.select(_ROW.user_id, _ROW.personalized, _ROW.change)
    .where(_ROW.change > sa.bindparam("change"))
    .order_by(_ROW.change)
)
OF_USER: Final = sa.select(_ROW.personalized, _ROW.changed_at).where(_ROW.user_id == sa.bindparam("user"))


def put(connection: sa.Connection, user_id: str, personalized: bool) -> None:
    """Set whether the user's answers are personalized."""
    values = {
        "personalized": personalized,
        "change": _next_change(connection),
        "changed_at": time.time_ns() // 1000,
    }
    of_user = _ROW.user_id == user_id
    if not connection.execute(sa.update(PREFERENCES).where(of_user).values(values)).rowcount:
        connection.execute(sa.insert(PREFERENCES).values(user_id=user_id, **values))


def remove(connection: sa.Connection, user_id: str) -> int:
    """Delete what the user has set; returns the number of rows."""
    return connection.execute(sa.delete(PREFERENCES).where(_ROW.user_id == user_id)).rowcount


def _next_change(connection: sa.Connection) -> int:
    first = insert(connection.dialect.name, _CHANGES).values(number=1, last=1)
    counted = first.on_conflict_do_update(index_elements=["number"], set_={"last": _CHANGES.c.last + 1})
    return int(connection.execute(counted.returning(_CHANGES.c.last)).scalar_one())
