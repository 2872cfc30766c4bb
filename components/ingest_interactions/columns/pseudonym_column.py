"""Replaces the user ids of a file by their pseudonyms, before anything of the file is stored."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import duckdb
import pyarrow as pa
from duckdb import DuckDBPyConnection

from components.errors import StepError
from components.progress import hidden_cells, report, without_cells
from feature_repo.counts import counted
from feature_repo.pseudonyms import Pseudonyms


def pseudonymise(connection: DuckDBPyConnection, pseudonyms: Pseudonyms, table: str, name: str) -> None:
    """Replace the column user_id of the table `conformed`.

    A text that can't be an id becomes "", so that validation quarantines the interaction; an attribute of
    such a user is left out.

    Args:
        table: interactions or users.
        name: the file's name, for messages.
    """
    query = "SELECT DISTINCT user_id FROM conformed WHERE user_id IS NOT NULL"
    user_ids = connection.sql(query).to_arrow_table()["user_id"]
    of_user = pa.array(pseudonyms.of_valid(user_ids.to_pylist()), pa.string())
    connection.register("pseudonyms", pa.table({"user_id": user_ids, "pseudonym": of_user}))
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE conformed AS
        SELECT conformed.* REPLACE (pseudonyms.pseudonym AS user_id)
        FROM conformed LEFT JOIN pseudonyms USING (user_id)
        """
    )
    connection.unregister("pseudonyms")
    if table == "users":
        ((rows,),) = connection.execute("SELECT count(*) FROM conformed WHERE user_id = ''").fetchall()
        if rows:
            report(f"{name}: {counted(rows, 'user')} left out, because the user id is not valid")
            connection.execute("DELETE FROM conformed WHERE user_id = ''")


@contextmanager
def unquoted_cells(pseudonyms: Pseudonyms | None, name: str) -> Iterator[None]:
    """With a key, quote no cell of a file in messages and errors: any of them may be a user id.

    Raises:
        StepError: as in the block, without the quoted cells.
    """
    with nullcontext() if pseudonyms is None else hidden_cells():
        try:
            yield
        except (StepError, duckdb.Error) as error:
            if pseudonyms is None:
                raise
            advice = f"`penchant data inspect` shows the cells of {name}"
            raise StepError(f"{without_cells(str(error))}; {advice}") from None
