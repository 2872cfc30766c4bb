"""The tables of the interaction log, and the conversion of its rows."""

import math
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from feature_repo.event_types import IMPRESSION
from feature_repo.interaction import Interaction


class DatabaseClock(sa.sql.functions.FunctionElement[int]):
    """The database's time in µs since the epoch: one clock for all replicas."""

    type = sa.BigInteger()
    inherit_cache = True


@compiles(DatabaseClock, "sqlite")
def _sqlite_clock(_element: DatabaseClock, _compiler: Any, **_: Any) -> str:
    return "(CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000)"


@compiles(DatabaseClock, "postgresql")
def _postgresql_clock(_element: DatabaseClock, _compiler: Any, **_: Any) -> str:
    return "((extract(epoch FROM clock_timestamp()) * 1000000)::bigint)"


METADATA: Final = sa.MetaData()

# `position` numbers the rows in the order of their recording. SQLite commits in this order; with PostgreSQL a
# transaction may commit after one with a higher number: see InteractionLog.mark.
INTERACTIONS: Final = sa.Table(
    "interactions",
    METADATA,
    sa.Column("position", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("interaction_id", sa.Text, nullable=False, unique=True),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("item_id", sa.Text, nullable=False),
    sa.Column("event_type", sa.Text, nullable=False),
    sa.Column("timestamp", sa.BigInteger, nullable=False),
    sa.Column("value", sa.Double),
    sa.Column("domain", sa.Text, nullable=False),
    sa.Column("query", sa.Text),  # the words of a search, whose item_id is ""
    sa.Column("request_id", sa.Text),  # of the answer that showed the item
    sa.Column("recorded_at", sa.BigInteger, nullable=False, server_default=DatabaseClock()),
    sqlite_autoincrement=True,  # never uses a number twice, even after the last rows were deleted
)
# The fields of Interaction, in order.
COLUMNS: Final = [column for column in INTERACTIONS.c if column.name not in ("position", "recorded_at")]
# Those that a history needs; an index carries them.
HISTORY_COLUMNS: Final = [column for column in COLUMNS if column.name != "request_id"]

# The last position that the snapshot of a time has, for all users and for those with a lower one.
SNAPSHOTS: Final = sa.Table(
    "interactions_snapshots",
    METADATA,
    sa.Column("as_of", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("position", sa.BigInteger, nullable=False),
)
USER_SNAPSHOTS: Final = sa.Table(
    "interactions_user_snapshots",
    METADATA,
    sa.Column("as_of", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
)

# A literal, because a parameter can't select a partial index.
IS_IMPRESSION: Final = INTERACTIONS.c.event_type == sa.literal_column(f"'{IMPRESSION}'")
NO_IMPRESSION: Final = INTERACTIONS.c.event_type != sa.literal_column(f"'{IMPRESSION}'")
HAS_ITEM: Final = INTERACTIONS.c.item_id != sa.literal_column("''")  # no search


def _index(
    name: str, where: sa.ColumnElement[bool] | None, *columns: str, covered: Sequence[str] = ()
) -> None:
    """Add an index; with SQLite it carries the columns `covered`, so that the table is not read.

    In PostgreSQL a row of an index has at most 2,700 bytes, and four ids can be longer.
    """
    for dialect, carried in (("sqlite", covered), ("postgresql", ())):
        indexed = [INTERACTIONS.c[column] for column in (*columns, *carried)]
        sa.Index(name, *indexed, sqlite_where=where, postgresql_where=where).ddl_if(dialect=dialect)


_index(
    "interactions_of_user",
    NO_IMPRESSION,
    "user_id",
    "position",
    covered=("interaction_id", "item_id", "event_type", "timestamp", "value", "domain", "query"),
)
_index(
    "interactions_of_user_by_time", sa.and_(NO_IMPRESSION, HAS_ITEM), "user_id", "timestamp", "interaction_id"
)
_index(
    "impressions_of_user",
    IS_IMPRESSION,
    "user_id",
    "recorded_at",
    covered=("interaction_id", "item_id", "event_type"),
)
_index("interactions_by_recorded_at", None, "recorded_at")


def to_row(interaction: Interaction) -> dict[str, Any]:
    """Return the column values of an interaction."""
    return {
        "interaction_id": interaction.interaction_id,
        "user_id": interaction.user_id,
        "item_id": interaction.item_id,
        "event_type": interaction.event_type,
        "timestamp": interaction.timestamp,
        "value": None if math.isnan(interaction.value) else interaction.value,
        "domain": interaction.domain,
        "query": interaction.query or None,
        "request_id": interaction.request_id or None,
    }


def from_row(row: Sequence[Any]) -> Interaction:
    """Return the interaction in a row of COLUMNS or HISTORY_COLUMNS."""
    interaction_id, user_id, item_id, event_type, timestamp, value, domain, query, *request_id = row
    return Interaction(
        interaction_id,
        user_id,
        item_id,
        event_type,
        timestamp,
        math.nan if value is None else value,
        domain,
        query or "",
        *(each or "" for each in request_id),
    )
