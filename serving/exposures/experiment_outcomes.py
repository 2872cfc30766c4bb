"""Reads the answers of an experiment and what users did with them, as they are recorded.

Positions can be committed out of order with PostgreSQL, so read only up to a `last` that is some time old.
"""

from typing import Final, NamedTuple

import sqlalchemy as sa

from serving.exposures.exposure_table import EXPOSURES
from serving.user_data.interaction_table import INTERACTIONS
from serving.user_data.log_connections import LogConnections

_ANSWER, _ACTION = EXPOSURES.c, INTERACTIONS.c
_AFTER: Final = sa.bindparam("after", type_=sa.BigInteger)
_UNTIL: Final = sa.bindparam("until", type_=sa.BigInteger)
_LIMIT: Final = sa.bindparam("limit", type_=sa.BigInteger)
_EXPERIMENT = _ANSWER.experiment == sa.bindparam("experiment")

_ANSWERS: Final = (
    sa.select(
        _ANSWER.position,
        _ANSWER.user_id,
        _ANSWER.timestamp,
        _ANSWER.arm,
        _ANSWER.degraded,
        _ANSWER.latency_us,
    )
    .where(_ANSWER.position > _AFTER, _ANSWER.position <= _UNTIL, _EXPERIMENT)
    .order_by(_ANSWER.position)
    .limit(_LIMIT)
)
_ACTIONS: Final = (
    sa.select(_ACTION.position, _ACTION.user_id, _ANSWER.timestamp, _ANSWER.arm, _ACTION.event_type)
    .join(
        EXPOSURES,
        sa.and_(_ANSWER.request_id == _ACTION.request_id, _ANSWER.user_id == _ACTION.user_id),
    )
    .where(_ACTION.position > _AFTER, _ACTION.position <= _UNTIL, _EXPERIMENT)
    .order_by(_ACTION.position)
    .limit(_LIMIT)
)
# The last rows before a time, by the indexes of the times.
_ANSWERS_BEFORE: Final = (
    sa.select(_ANSWER.position)
    .where(_ANSWER.timestamp < sa.bindparam("time"))
    .order_by(_ANSWER.timestamp.desc())
    .limit(1)
)
_ACTIONS_BEFORE: Final = (
    sa.select(_ACTION.position)
    .where(_ACTION.recorded_at < sa.bindparam("time"))
    .order_by(_ACTION.recorded_at.desc())
    .limit(1)
)
_LAST: Final = sa.select(
    sa.select(sa.func.coalesce(sa.func.max(_ANSWER.position), 0)).scalar_subquery(),
    sa.select(sa.func.coalesce(sa.func.max(_ACTION.position), 0)).scalar_subquery(),
)


class Positions(NamedTuple):
    """Up to where the answers and the interactions are read."""

    answers: int
    actions: int


class AnswerRow(NamedTuple):
    """An answer of the experiment."""

    position: int
    user_id: str
    timestamp: int  # µs since the epoch
    arm: str
    degraded: str
    latency_us: int


class ActionRow(NamedTuple):
    """An interaction that names an answer of the experiment to its user."""

    position: int
    user_id: str
    answered_at: int  # µs since the epoch
    arm: str
    event_type: str


class ExperimentOutcomes:
    """Each method raises Unavailable if the database can't be reached."""

    def __init__(self, database: LogConnections) -> None:
        self._database = database

    def before(self, time: int) -> Positions:
        """Return the positions before a time, µs since the epoch."""
        statements = _ANSWERS_BEFORE, _ACTIONS_BEFORE
        found = [self._database.query("read", statement, {"time": time}) for statement in statements]
        return Positions(*(int(rows[0][0]) if rows else 0 for rows in found))

    def last(self) -> Positions:
        """Return the positions of the last rows."""
        return Positions(*self._database.query("read", _LAST, {})[0])

    def answers(self, experiment: str, after: int, until: int, limit: int) -> list[AnswerRow]:
        """Return at most `limit` answers above position `after` up to `until`, in this order."""
        parameters = {"experiment": experiment, "after": after, "until": until, "limit": limit}
        return [AnswerRow(*row) for row in self._database.query("read", _ANSWERS, parameters)]

    def actions(self, experiment: str, after: int, until: int, limit: int) -> list[ActionRow]:
        """Return at most `limit` interactions above position `after` up to `until`, in this order."""
        parameters = {"experiment": experiment, "after": after, "until": until, "limit": limit}
        return [ActionRow(*row) for row in self._database.query("read", _ACTIONS, parameters)]
