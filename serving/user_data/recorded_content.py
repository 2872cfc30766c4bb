"""Tells a retry from another interaction under an id that the interaction log already has."""

import math
from collections.abc import Collection, Sequence
from dataclasses import fields
from typing import Final

import sqlalchemy as sa

from feature_repo.interaction import Interaction
from serving.errors import AlreadyExists
from serving.user_data.interaction_table import from_row
from serving.user_data.log_statements import BY_ID

_FIELDS: Final = [field.name for field in fields(Interaction)]


def check_content(
    connection: sa.Connection, interactions: Sequence[Interaction], without_time: Collection[str]
) -> None:
    """Compare `interactions` with those that the log has under their ids.

    Args:
        without_time: ids of interactions whose timestamp says nothing.

    Raises:
        AlreadyExists: one differs; the message names it and the field.
    """
    ids = list({interaction.interaction_id for interaction in interactions})
    rows = connection.execute(BY_ID, {"ids": ids}).all()
    recorded = {interaction.interaction_id: interaction for interaction in map(from_row, rows)}
    for position, interaction in enumerate(interactions):
        other = recorded[interaction.interaction_id]
        for name in _FIELDS:
            if name == "timestamp" and interaction.interaction_id in without_time:
                continue
            if not _are_equal(getattr(interaction, name), getattr(other, name)):
                raise AlreadyExists(
                    f"interactions[{position}].{name}: interaction_id {interaction.interaction_id!r} is that "
                    "of an interaction that differs in this field; nothing of this call is recorded: give "
                    "each interaction an id of its own, and a retry the same content"
                )


def _are_equal(one: object, other: object) -> bool:
    return one == other or (_is_nan(one) and _is_nan(other))


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)
