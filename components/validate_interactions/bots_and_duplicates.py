"""Interactions that keep to the contract and still tell nothing about anybody's taste.

The rules, by name:

- *repeat*: the same user, item, event type and value again within a second (a double click, a retry under a
  new id). The first stays, the others are dropped.
- *bot*: a user with more than 2,000 interactions within some hour, one every 1.8 seconds without a pause.
  People come to 726 in an hour (MovieLens 1M, where they rate from lists). All the user's interactions go to
  the quarantine.
- *explicit feedback*: a rating or dislike stays, however low. The model reads event type and value, and what
  people bother to judge tells what they chose.
- *impression*: what somebody was shown is no act of theirs, and counts neither way.
- *missing value*: implicit feedback has none, and needs none.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_repo.contract import IMPRESSION

BOT_INTERACTIONS_PER_HOUR: Final = 2_000
REPEAT_SECONDS: Final = 1

BOT_REASON: Final = f"user_id: bot, more than {BOT_INTERACTIONS_PER_HOUR:,} interactions within an hour"

# A user is too fast where the interaction so many before is less than an hour old.
_BOTS: Final = f"""
    WITH busy AS (SELECT user_id FROM sound GROUP BY user_id HAVING count(*) > {BOT_INTERACTIONS_PER_HOUR}),
    paced AS (
        SELECT user_id, micros - lag(micros, {BOT_INTERACTIONS_PER_HOUR}) OVER (
            PARTITION BY user_id ORDER BY micros
        ) AS span
        FROM sound SEMI JOIN busy USING (user_id)
    )
    SELECT DISTINCT user_id FROM paced WHERE span < 3_600_000_000
"""
_REPEATS: Final = f"""
    WITH again AS (SELECT user_id, item_id FROM sound GROUP BY ALL HAVING count(*) > 1),
    paced AS (
        SELECT file_row_number, micros - lag(micros) OVER (
            PARTITION BY user_id, item_id, event_type, value ORDER BY micros, interaction_id
        ) AS span
        FROM sound SEMI JOIN again USING (user_id, item_id)
    )
    SELECT file_row_number FROM paced WHERE span <= {REPEAT_SECONDS} * 1_000_000
"""


@dataclass(frozen=True)
class Noise:
    """Row numbers in the file, each int64."""

    repeats: NDArray[np.int64]
    bots: NDArray[np.int64]
    bot_users: list[str]


def find(interactions: Path, unsound: NDArray[np.int64]) -> Noise:
    """The noise among the rows of a Parquet file.

    Args:
        unsound: [rows] int64 numbers of rows to leave out of account.
    """
    with duckdb.connect() as connection:
        connection.register("unsound", pa.table({"file_row_number": unsound}))
        connection.read_parquet(str(interactions), file_row_number=True).create_view("rows")
        connection.execute(
            'CREATE VIEW sound AS SELECT *, epoch_us("timestamp") AS micros '
            "FROM rows ANTI JOIN unsound USING (file_row_number) "
            f"WHERE event_type IS DISTINCT FROM '{IMPRESSION}'"
        )
        connection.execute(f"CREATE TABLE bots AS {_BOTS}")
        bots = connection.execute("SELECT file_row_number FROM sound SEMI JOIN bots USING (user_id)")
        bot_rows = bots.fetchnumpy()["file_row_number"]
        repeats = connection.execute(_REPEATS).fetchnumpy()["file_row_number"]
        users = [user for (user,) in connection.execute("FROM bots ORDER BY user_id").fetchall()]
    return Noise(np.setdiff1d(repeats, bot_rows), np.sort(bot_rows), users)
