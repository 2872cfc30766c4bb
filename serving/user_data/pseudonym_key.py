"""Which pseudonym key the user ids of an interaction log are made with."""

from typing import Final

import sqlalchemy as sa

from feature_repo.pseudonyms import WrongPseudonymKey
from serving.user_data.interaction_table import INTERACTIONS, METADATA
from serving.user_data.log_statements import insert

# One row, with the check value of the key; "" if the log holds the ids themselves.
PSEUDONYM_KEY: Final = sa.Table(
    "interactions_pseudonym_key",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("check_value", sa.Text, nullable=False),
)
_STORED: Final = sa.select(PSEUDONYM_KEY.c.check_value)
_IS_USED: Final = sa.select(sa.exists(sa.select(INTERACTIONS.c.position)))


def check(engine: sa.Engine, key_check: str) -> None:
    """Compare a key with that of the log; an empty log takes it.

    Args:
        key_check: the check value of the key; "" without one.

    Raises:
        WrongPseudonymKey: the log has user ids that were made with another key, or without one.
    """
    with engine.begin() as connection:
        stored = connection.execute(_STORED).scalar()
        if stored is None:
            # A log of an earlier version has no row, and holds ids.
            first = "" if connection.execute(_IS_USED).scalar_one() else key_check
            row = {"number": 1, "check_value": first}
            connection.execute(insert(engine.dialect.name, PSEUDONYM_KEY).on_conflict_do_nothing(), row)
            stored = connection.execute(_STORED).scalar_one()
    if stored != key_check:
        raise WrongPseudonymKey(f"the interaction log {engine.url.render_as_string()}", stored, key_check)
