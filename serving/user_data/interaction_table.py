"""The SQL table of the interaction log, its statements, and the conversion of its rows."""

import math
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from feature_repo.event_types import IMPRESSION
from feature_repo.interaction import Interaction

METADATA: Final = sa.MetaData()
INTERACTIONS: Final = sa.Table(
    "interactions",
    METADATA,
    sa.Column("interaction_id", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("item_id", sa.Text, nullable=False),
    sa.Column("event_type", sa.Text, nullable=False),
    sa.Column("timestamp", sa.BigInteger, nullable=False),
    sa.Column("value", sa.Double),
    sa.Column("domain", sa.Text, nullable=False),
    sa.Column("recorded_at", sa.BigInteger, nullable=False),
    sa.Index("interactions_by_user", "user_id", "recorded_at"),
    sa.Index("interactions_by_recorded_at", "recorded_at"),
)
_COLUMNS: Final = [column for column in INTERACTIONS.c if column.name != "recorded_at"]
_OF_USER = INTERACTIONS.c.user_id == sa.bindparam("user")
_RECORDED_AFTER = INTERACTIONS.c.recorded_at > sa.bindparam("after")
_IS_IMPRESSION = INTERACTIONS.c.event_type == IMPRESSION

SINCE: Final = sa.select(*_COLUMNS).where(_OF_USER, _RECORDED_AFTER, ~_IS_IMPRESSION)
# The same statement for sqlite3: (user, after, impression).
SINCE_SQLITE: Final = (
    f"SELECT {', '.join(column.name for column in _COLUMNS)} FROM {INTERACTIONS.name} "
    "WHERE user_id = ? AND recorded_at > ? AND event_type != ?"
)
IMPRESSIONS: Final = sa.select(INTERACTIONS.c.item_id, INTERACTIONS.c.interaction_id).where(
    _OF_USER, _RECORDED_AFTER, _IS_IMPRESSION
)
DEPTH: Final = sa.select(sa.func.count()).select_from(INTERACTIONS).where(_RECORDED_AFTER, ~_IS_IMPRESSION)
EXPORT: Final = (
    sa.select(*_COLUMNS)
    .where(_RECORDED_AFTER)
    .order_by(INTERACTIONS.c.recorded_at, INTERACTIONS.c.interaction_id)
)


def to_row(interaction: Interaction, recorded_at: int) -> dict[str, Any]:
    """Return the column values of an interaction; `recorded_at` in µs since the epoch."""
    return {
        "interaction_id": interaction.interaction_id,
        "user_id": interaction.user_id,
        "item_id": interaction.item_id,
        "event_type": interaction.event_type,
        "timestamp": interaction.timestamp,
        "value": None if math.isnan(interaction.value) else interaction.value,
        "domain": interaction.domain,
        "recorded_at": recorded_at,
    }


def from_row(row: Sequence[Any]) -> Interaction:
    """Return the interaction in a row of SINCE or EXPORT."""
    interaction_id, user_id, item_id, event_type, timestamp, value, domain = row
    return Interaction(
        interaction_id,
        user_id,
        item_id,
        event_type,
        timestamp,
        math.nan if value is None else value,
        domain,
    )
