"""Finds bots and duplicates: interactions that meet the contract, but do not show a user's interest.

The rules:

- *duplicate*: the same user, item, event type and value again within a second (a double click, or a retry
  with a new id). The first interaction stays, the others are dropped.
- *bot*: a user with more than 2,000 interactions within any hour, one every 1.8 seconds. The
  most active person of MovieLens 1M, where people rate from lists, has 726. All interactions of a bot are
  quarantined.
- *date*: a time of day that many interactions share, such as midnight, means that only the date is known.
  Then a bot has more than 10,000 interactions on one date, and equal interactions of a date stay.

Not filtered:

- *explicit feedback*: ratings and dislikes stay, however low: the feedback policy gives them their sign.
- *impression*: an item shown to a user is no action of the user; the rules ignore it.
- *missing value*: implicit feedback has no value.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components.ingest_interactions.duckdb_session import connect
from components.validate_interactions.expectation_results import EXAMPLES, ExpectationResult
from feature_repo.event_types import IMPRESSION
from feature_repo.filesystems import without_wildcards

BOT_INTERACTIONS_PER_HOUR: Final = 2_000
BOT_INTERACTIONS_PER_DATE: Final = 10_000
DUPLICATE_SECONDS: Final = 1

# A time of day, whole quarters of an hour for the sake of time zones, is a date if it has this share of the
# interactions, on several days. In precise data, each has one of 86,400.
DATE_SHARE: Final = 0.01
DATE_ROWS: Final = 20

BOT_PROBLEM: Final = (
    f"bot with more than {BOT_INTERACTIONS_PER_HOUR:,} interactions within an hour, or "
    f"{BOT_INTERACTIONS_PER_DATE:,} on a date"
)
BOT_REASON: Final = f"user_id: {BOT_PROBLEM}"

_HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 24 * _HOUR_US

_DATES: Final = f"""
    SELECT micros % {_DAY_US} AS time_of_day FROM valid WHERE micros % {_HOUR_US // 4} = 0 GROUP BY ALL
    HAVING count(*) >= greatest({DATE_ROWS}, {DATE_SHARE} * (SELECT count(*) FROM valid))
        AND count(DISTINCT micros // {_DAY_US}) > 1
"""
# A user is a bot if any interaction and the one `limit` before it are less than `span` µs apart.
_BOTS: Final = """
    WITH active AS (SELECT user_id FROM {rows} GROUP BY user_id HAVING count(*) > {limit}),
    spans AS (
        SELECT user_id, micros - lag(micros, {limit}) OVER (PARTITION BY user_id ORDER BY micros) AS span
        FROM {rows} SEMI JOIN active USING (user_id)
    )
    SELECT DISTINCT user_id FROM spans WHERE span < {span}
"""
_BOT_RULES: Final = " UNION ".join(
    f"({rule})"
    for rule in (
        _BOTS.format(rows="timed", limit=BOT_INTERACTIONS_PER_HOUR, span=_HOUR_US),
        _BOTS.format(rows="dated", limit=BOT_INTERACTIONS_PER_DATE, span=_DAY_US),
    )
)
_DUPLICATES: Final = f"""
    WITH repeated AS (SELECT user_id, item_id FROM timed GROUP BY ALL HAVING count(*) > 1),
    spans AS (
        SELECT file_row_number, micros - lag(micros) OVER (
            PARTITION BY user_id, item_id, event_type, value ORDER BY micros, interaction_id
        ) AS span
        FROM timed SEMI JOIN repeated USING (user_id, item_id)
    )
    SELECT file_row_number FROM spans WHERE span <= {DUPLICATE_SECONDS} * 1_000_000
"""


@dataclass(frozen=True)
class BotsAndDuplicates:
    """Row numbers in the file, int64, and the ids of the bots."""

    duplicates: NDArray[np.int64]
    bots: NDArray[np.int64]
    bot_users: list[str]
    dated: int  # interactions whose time is a date without a time of day

    def bot_result(self, rows: int) -> ExpectationResult:
        """Return the bot rule as a result among those of the expectations; `rows` is the size of the file."""
        expected = (
            f"at most {BOT_INTERACTIONS_PER_HOUR:,} interactions of a user within an hour, and "
            f"{BOT_INTERACTIONS_PER_DATE:,} on a date without a time of day"
        )
        examples = [repr(user) for user in self.bot_users[:EXAMPLES]]
        return ExpectationResult(
            "bot rule", "user_id", BOT_PROBLEM, expected, "critical", rows, len(self.bots), examples
        )


def find_bots_and_duplicates(interactions: Path, invalid: NDArray[np.int64]) -> BotsAndDuplicates:
    """Find bots and duplicates in a Parquet file.

    Args:
        invalid: [rows] int64 numbers of the rows to ignore.
    """
    with connect() as connection:
        connection.register("invalid", pa.table({"file_row_number": invalid}))
        connection.read_parquet(without_wildcards(interactions), file_row_number=True).create_view("rows")
        connection.execute(
            'CREATE VIEW valid AS SELECT *, epoch_us("timestamp") AS micros '
            "FROM rows ANTI JOIN invalid USING (file_row_number) "
            f"WHERE event_type IS DISTINCT FROM '{IMPRESSION}'"
        )
        connection.execute(f"CREATE TABLE dates AS {_DATES}")
        is_dated = f"(micros % {_DAY_US} IN (SELECT time_of_day FROM dates))"
        connection.execute(f"CREATE VIEW dated AS FROM valid WHERE {is_dated}")
        connection.execute(f"CREATE VIEW timed AS FROM valid WHERE NOT {is_dated}")
        connection.execute(f"CREATE TABLE bots AS {_BOT_RULES}")
        bots = connection.execute("SELECT file_row_number FROM valid SEMI JOIN bots USING (user_id)")
        bot_rows = bots.fetchnumpy()["file_row_number"]
        duplicates = connection.execute(_DUPLICATES).fetchnumpy()["file_row_number"]
        users = [user for (user,) in connection.execute("FROM bots ORDER BY user_id").fetchall()]
        (dated,) = connection.execute("SELECT count(*) FROM dated").fetchall()[0]
    return BotsAndDuplicates(np.setdiff1d(duplicates, bot_rows), np.sort(bot_rows), users, dated)
