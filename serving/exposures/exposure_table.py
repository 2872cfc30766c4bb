"""The table of exposures, in the database of the interaction log."""

from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from serving.user_data import erased_users

METADATA: Final = sa.MetaData()

Row = tuple[Any, ...]

# One row for an answer. A list of its places is one value: ids one a line, numbers as a little-endian array.
EXPOSURES: Final = sa.Table(
    "exposures",
    METADATA,
    sa.Column("position", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("timestamp", sa.BigInteger, nullable=False),
    sa.Column("release_version", sa.BigInteger, nullable=False),
    sa.Column("scenario", sa.Text, nullable=False),
    sa.Column("basis", sa.Text, nullable=False),
    sa.Column("degraded", sa.Text, nullable=False),
    sa.Column("candidates", sa.Text, nullable=False),
    sa.Column("item_ids", sa.Text, nullable=False),
    sa.Column("scores", sa.LargeBinary, nullable=False),  # float32
    sa.Column("sources", sa.LargeBinary, nullable=False),  # uint16
    sa.Column("propensities", sa.LargeBinary),  # float64; empty or null where each is 1
    sa.Column("snapshot", sa.BigInteger, nullable=False),
    sa.Column("delta", sa.LargeBinary, nullable=False),
    sa.Column("request", sa.LargeBinary),
    sa.Column("latency_us", sa.BigInteger),
    sa.Column("experiment", sa.Text),
    sa.Column("arm", sa.Text),
    sa.Column("credits", sa.LargeBinary),  # float32; empty or null but for interleaved answers
)
COLUMNS: Final = [column for column in EXPOSURES.c if column.name != "position"]
NAMES: Final = [column.name for column in COLUMNS]
sa.Index("exposures_of_user", EXPOSURES.c.user_id, EXPOSURES.c.timestamp)
sa.Index("exposures_by_request", EXPOSURES.c.request_id)
sa.Index("exposures_by_timestamp", EXPOSURES.c.timestamp)


# Columns that a table of an earlier version lacks.
_LATER: Final = (EXPOSURES.c.latency_us, EXPOSURES.c.experiment, EXPOSURES.c.arm, EXPOSURES.c.credits)


def create(engine: sa.Engine) -> None:
    """Create the table if it does not exist, and the columns that one of an earlier version lacks.

    Raises:
        sqlalchemy.exc.DBAPIError: another process has just created a column: repeat the call.
    """
    METADATA.create_all(engine)
    erased_users.METADATA.create_all(engine)
    names = {column["name"] for column in sa.inspect(engine).get_columns(EXPOSURES.name)}
    for column in _LATER:
        if column.name not in names:
            definition = f"{column.name} {column.type.compile(engine.dialect)}"
            with engine.begin() as connection:
                connection.exec_driver_sql(f"ALTER TABLE {EXPOSURES.name} ADD COLUMN {definition}")


@cache
def insert_statement(dialect: str, rows: int) -> str:
    """Return the INSERT of so many rows of `row_of`, for the driver of the dialect: SQLAlchemy's is slower.

    One statement for all rows, because sqlite3 gives the interpreter away at each one, and then competes with
    answers for it.
    """
    values = f"({', '.join(['?' if dialect == 'sqlite' else '%s'] * len(NAMES))})"
    return f"INSERT INTO {EXPOSURES.name} ({', '.join(NAMES)}) VALUES {', '.join([values] * rows)}"
