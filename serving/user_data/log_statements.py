"""The SQL statements of the interaction log.

An index finds the rows of each statement for one user, and each has a LIMIT: the time of an answer must not
grow with what its user has recorded.
"""

import re
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from feature_repo.contract import MAX_HISTORY, MAX_SEEN_BEFORE
from serving.user_data.interaction_table import (
    COLUMNS,
    HAS_ITEM,
    HISTORY_COLUMNS,
    INTERACTIONS,
    IS_IMPRESSION,
    NO_IMPRESSION,
    SNAPSHOTS,
    USER_SNAPSHOTS,
)
from serving.user_data.log_expressions import Lines, RowsOfUser

# The newest impressions of a user that count for a frequency cap.
MAX_IMPRESSIONS: Final = 10_000

# A snapshot has no position in a log of an earlier version or in one that was replaced. Then the times of
# recording decide, and this many µs before the snapshot are read again, because clocks differ.
_CLOCK_DIFFERENCE_US: Final = 600_000_000

_ROW: Final = INTERACTIONS.c
_USER: Final = sa.bindparam("user", type_=sa.Text)
_AFTER: Final = sa.bindparam("after", type_=sa.BigInteger)
_UNTIL: Final = sa.bindparam("until", type_=sa.BigInteger)
_AS_OF: Final = sa.bindparam("as_of", type_=sa.BigInteger)


def _first_of(*positions: sa.Select[tuple[int]]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(*(position.scalar_subquery() for position in positions), 0)


_SNAPSHOT: Final = sa.select(SNAPSHOTS.c.position).where(SNAPSHOTS.c.as_of == _AS_OF)
_USER_SNAPSHOT: Final = sa.select(USER_SNAPSHOTS.c.position).where(
    USER_SNAPSHOTS.c.as_of == _AS_OF, USER_SNAPSHOTS.c.user_id == _USER
)
_earlier = INTERACTIONS.alias("earlier")
_BY_TIME: Final = (
    sa.select(_earlier.c.position)
    .where(_earlier.c.recorded_at <= _AS_OF - _CLOCK_DIFFERENCE_US)
    .order_by(_earlier.c.recorded_at.desc())
    .limit(1)
)
_START: Final = _first_of(_USER_SNAPSHOT, _SNAPSHOT, _BY_TIME)
_NEW: Final = sa.and_(RowsOfUser(_ROW.user_id, _ROW.position, _USER, _START), NO_IMPRESSION)
_LAST_FIRST: Final = (_ROW.user_id.desc(), _ROW.position.desc())

# A user's interactions that a snapshot does not have: the last recorded ones, one more than a history holds.
SINCE: Final = sa.select(*HISTORY_COLUMNS).where(_NEW).order_by(*_LAST_FIRST).limit(MAX_HISTORY + 1)

# The same as of an earlier time.
SINCE_UNTIL: Final = (
    sa.select(*HISTORY_COLUMNS)
    .where(_NEW, _ROW.recorded_at < _UNTIL)
    .order_by(*_LAST_FIRST)
    .limit(MAX_HISTORY + 1)
)

# The ids of SINCE, joined by line feeds, which no id contains.
_since_ids = (
    sa.select(_ROW.interaction_id, _ROW.position)
    .where(_NEW)
    .order_by(*_LAST_FIRST)
    .limit(MAX_HISTORY + 1)
    .subquery()
)
SINCE_IDS: Final = sa.select(Lines(_since_ids.c.interaction_id))

# Those of the user's newest interactions with items, by their own time, that the snapshot does not have.
_newest = (
    sa.select(*HISTORY_COLUMNS, _ROW.position)
    .where(_ROW.user_id == _USER, NO_IMPRESSION, HAS_ITEM)
    .order_by(_ROW.timestamp.desc(), _ROW.interaction_id.desc())
    .limit(MAX_HISTORY)
    .subquery()
)
_newest_columns = [_newest.c[column.name] for column in HISTORY_COLUMNS]
NEWEST: Final = sa.select(*_newest_columns).where(_newest.c.position > _START)

# The items of the interactions that the snapshot does not have, last recorded ones first.
NEW_ITEMS: Final = (
    sa.select(_ROW.item_id).where(_NEW).order_by(*_LAST_FIRST).limit(MAX_HISTORY + MAX_SEEN_BEFORE + 1)
)

_shown = (
    sa.select(_ROW.item_id)
    .where(RowsOfUser(_ROW.user_id, _ROW.recorded_at, _USER, _AFTER), IS_IMPRESSION)
    .order_by(_ROW.user_id.desc(), _ROW.recorded_at.desc())
    .limit(MAX_IMPRESSIONS)
    .subquery()
)
IMPRESSIONS: Final = sa.select(_shown.c.item_id, sa.func.count()).group_by(_shown.c.item_id)

# The same as of an earlier time.
IMPRESSIONS_UNTIL: Final = (
    sa.select(_ROW.item_id, sa.func.count())
    .where(_ROW.user_id == _USER, _ROW.recorded_at > _AFTER, _ROW.recorded_at < _UNTIL, IS_IMPRESSION)
    .group_by(_ROW.item_id)
)

# Without the users of USER_SNAPSHOTS, who have few.
DEPTH: Final = (
    sa.select(sa.func.count())
    .select_from(INTERACTIONS)
    .where(NO_IMPRESSION, _ROW.position > _first_of(_SNAPSHOT, _BY_TIME))
)

POSITION: Final = _SNAPSHOT
LAST: Final = sa.select(sa.func.coalesce(sa.func.max(_ROW.position), 0))
EXPORT: Final = (
    sa.select(_ROW.position, *COLUMNS)
    .where(_ROW.position > sa.bindparam("after"), _ROW.position <= sa.bindparam("until"))
    .order_by(_ROW.position)
    .limit(sa.bindparam("batch_size"))
)
# In the order of recording; `position` makes the order of equal times one order.
RECORDED_BETWEEN: Final = (
    sa.select(_ROW.position, _ROW.recorded_at, *COLUMNS)
    .where(
        _ROW.recorded_at < sa.bindparam("end"),
        sa.tuple_(_ROW.recorded_at, _ROW.position)
        > sa.tuple_(sa.bindparam("time"), sa.bindparam("position")),
    )
    .order_by(_ROW.recorded_at, _ROW.position)
    .limit(sa.bindparam("batch_size"))
)
OF_USER: Final = sa.select(*COLUMNS).where(_ROW.user_id == _USER).order_by(_ROW.position)
BY_ID: Final = sa.select(*COLUMNS).where(_ROW.interaction_id.in_(sa.bindparam("ids", expanding=True)))


def for_sqlite3(statement: sa.Select[Any]) -> str:
    """Return a statement for the module sqlite3, with named parameters and with its constants, numbers."""
    compiled = statement.compile(dialect=sqlite.dialect(paramstyle="named"))
    constants = {name: value for name, value in compiled.params.items() if value is not None}
    return re.sub(r":(\w+)", lambda match: str(constants.get(match[1], match[0])), str(compiled))


def insert(dialect: str, table: sa.Table) -> Any:
    """Return an INSERT ... ON CONFLICT of the dialect."""
    return (postgresql if dialect == "postgresql" else sqlite).insert(table)
