"""Creates the tables of the interaction log, and brings a log of an earlier version up to date."""

from typing import Final

import sqlalchemy as sa

from serving.user_data import erased_users, preferences, pseudonym_key
from serving.user_data.interaction_table import COLUMNS, INTERACTIONS, METADATA, DatabaseClock

# Identifies the lock of the log in PostgreSQL, which has one space of numbers for all applications.
LOCK: Final = 7_305_442_918

# Columns that a table of an earlier version may lack, besides `position`.
_LATER_COLUMNS: Final = ("query", "request_id")

_OTHERS: Final = (erased_users.METADATA, preferences.METADATA)

_TRIGGER: Final = f"""
CREATE OR REPLACE FUNCTION interactions_announce() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared({LOCK});
    RETURN NULL;
END $$;
CREATE TRIGGER interactions_announce BEFORE INSERT ON {INTERACTIONS.name}
    FOR EACH STATEMENT EXECUTE FUNCTION interactions_announce();
"""


def create(engine: sa.Engine, key_check: str | None = None) -> None:
    """Create what is missing, in one transaction; other processes may do the same at the same time.

    Args:
        key_check: as of InteractionLog.

    Raises:
        sqlalchemy.exc.DBAPIError: the database can't be reached or written, or is locked.
        WrongPseudonymKey: as of InteractionLog.
    """
    if not _is_current(engine):
        _create(engine)
    if key_check is not None:
        pseudonym_key.check(engine, key_check)


def _create(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            # Otherwise the module sqlite3 begins the transaction after the statements that change the schema.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
        inspector = sa.inspect(connection)
        names = _column_names(inspector)
        for name in _LATER_COLUMNS if names else ():
            if name not in names:
                connection.exec_driver_sql(f"ALTER TABLE {INTERACTIONS.name} ADD COLUMN {name} TEXT")
        if names and "position" not in names:
            _add_positions(connection)
        METADATA.create_all(connection)
        for metadata in _OTHERS:
            metadata.create_all(connection)
        if engine.dialect.name == "postgresql" and not _has_trigger(connection):
            connection.exec_driver_sql(_TRIGGER)
        connection.commit()


def lock(connection: sa.Connection, shared: bool = False) -> None:
    """Wait for the transactions of PostgreSQL that record, and keep others waiting until this one ends.

    `shared`: as one that records. SQLite has one writer at a time.
    """
    if connection.dialect.name == "postgresql":
        function = sa.func.pg_advisory_xact_lock_shared if shared else sa.func.pg_advisory_xact_lock
        connection.execute(sa.select(function(LOCK)))


def _is_current(engine: sa.Engine) -> bool:
    """Return whether nothing is missing; the last table exists only if everything else does."""
    with engine.connect() as connection:
        inspector = sa.inspect(connection)
        has_columns = _column_names(inspector).issuperset(_LATER_COLUMNS)
        tables = [name for metadata in (METADATA, *_OTHERS) for name in metadata.tables]
        return has_columns and all(map(inspector.has_table, tables))


def _column_names(inspector: sa.Inspector) -> set[str]:
    """Return the columns of the table of interactions; none if it does not exist."""
    if not inspector.has_table(INTERACTIONS.name):
        return set()
    return {column["name"] for column in inspector.get_columns(INTERACTIONS.name)}


def _add_positions(connection: sa.Connection) -> None:
    """Number the rows in the order of their times of recording."""
    for name in ("interactions_by_user", "interactions_by_recorded_at"):
        connection.exec_driver_sql(f"DROP INDEX IF EXISTS {name}")
    if connection.dialect.name == "sqlite":
        columns = ", ".join([*(column.name for column in COLUMNS), "recorded_at"])
        connection.exec_driver_sql(f"ALTER TABLE {INTERACTIONS.name} RENAME TO interactions_before")
        INTERACTIONS.create(connection)
        connection.exec_driver_sql(
            f"INSERT INTO {INTERACTIONS.name} ({columns}) "
            f"SELECT {columns} FROM interactions_before ORDER BY recorded_at, interaction_id"
        )
        connection.exec_driver_sql("DROP TABLE interactions_before")
        return
    clock = DatabaseClock().compile(dialect=connection.dialect)
    connection.exec_driver_sql(
        f"""
        ALTER TABLE {INTERACTIONS.name} ADD COLUMN position BIGINT,
            ALTER COLUMN recorded_at SET DEFAULT {clock};
        UPDATE {INTERACTIONS.name} SET position = numbered.position FROM (
            SELECT interaction_id, row_number() OVER (ORDER BY recorded_at, interaction_id) AS position
            FROM {INTERACTIONS.name}
        ) AS numbered WHERE numbered.interaction_id = {INTERACTIONS.name}.interaction_id;
        CREATE SEQUENCE interactions_position_seq OWNED BY {INTERACTIONS.name}.position;
        SELECT setval('interactions_position_seq', (SELECT count(*) + 1 FROM {INTERACTIONS.name}), false);
        ALTER TABLE {INTERACTIONS.name} DROP CONSTRAINT {INTERACTIONS.name}_pkey, ADD PRIMARY KEY (position),
            ADD CONSTRAINT {INTERACTIONS.name}_interaction_id_key UNIQUE (interaction_id),
            ALTER COLUMN position SET DEFAULT nextval('interactions_position_seq');
        """
    )
    for index in INTERACTIONS.indexes:
        index.create(connection)


def _has_trigger(connection: sa.Connection) -> bool:
    query = (
        "SELECT count(*) FROM pg_trigger WHERE tgname = 'interactions_announce' AND tgrelid = to_regclass(:t)"
    )
    return bool(connection.execute(sa.text(query), {"t": INTERACTIONS.name}).scalar_one())
