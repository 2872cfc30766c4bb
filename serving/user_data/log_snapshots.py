"""Marks in the interaction log which interactions a snapshot of the features has."""

from typing import Final

import sqlalchemy as sa

from serving.user_data.interaction_table import INTERACTIONS, NO_IMPRESSION, SNAPSHOTS, USER_SNAPSHOTS
from serving.user_data.log_schema import LOCK
from serving.user_data.log_statements import LAST, insert

# A client's clock may be this much ahead, so a timestamp can be later than the recording.
_MAX_LEAD_US: Final = 25 * 3_600_000_000


def mark(connection: sa.Connection, as_of: int) -> int:
    """Keep and return the position up to which a snapshot as of `as_of` (µs since the epoch) has everything.

    A snapshot has no interactions with a timestamp of `as_of` or later, which clients whose clocks are ahead
    record: of their users, it has everything before the first of these.
    """
    if connection.dialect.name == "postgresql":
        # Waits until no transaction has numbered rows that it has not committed: each holds the lock, shared.
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
    # First, so that SQLite's transaction begins with a write: it can't turn an outdated read into one.
    connection.execute(sa.delete(USER_SNAPSHOTS).where(USER_SNAPSHOTS.c.as_of <= as_of - 30 * _MAX_LEAD_US))
    rows, (position,) = INTERACTIONS.c, connection.execute(LAST).one()
    row = insert(connection.dialect.name, SNAPSHOTS).values(as_of=as_of, position=position)
    connection.execute(row.on_conflict_do_update(index_elements=["as_of"], set_={"position": position}))
    ahead = (
        sa.select(sa.literal(as_of, sa.BigInteger), rows.user_id, sa.func.min(rows.position) - 1)
        .where(
            rows.recorded_at > as_of - _MAX_LEAD_US,
            rows.timestamp >= as_of,
            rows.position <= position,
            NO_IMPRESSION,
        )
        .group_by(rows.user_id)
    )
    connection.execute(
        insert(connection.dialect.name, USER_SNAPSHOTS)
        .from_select(["as_of", "user_id", "position"], ahead)
        .on_conflict_do_nothing()
    )
    return int(position)
