"""MLflow's database comes into being as a whole."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from components.mlflow_client import connect


class Killed(BaseException):
    """Ends a process that makes the database."""


@pytest.fixture
def killed_at_the_fifth_table() -> Iterator[None]:
    tables = count(1)

    def execute(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        if "CREATE TABLE" in statement and next(tables) == 5:
            raise Killed

    event.listen(Engine, "before_cursor_execute", execute)
    yield
    event.remove(Engine, "before_cursor_execute", execute)


@pytest.mark.usefixtures("killed_at_the_fifth_table")
def test_a_killed_process_leaves_no_database_with_some_of_the_tables(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        connect(f"sqlite:///{tmp_path}/mlflow/mlflow.db")

    assert not (tmp_path / "mlflow" / "mlflow.db").exists()


def test_an_existing_database_is_opened_as_it_is(tracking_uri: str, tmp_path: Path) -> None:
    before = (tmp_path / "mlflow.db").read_bytes()

    assert connect(tracking_uri).search_registered_models() == []
    assert (tmp_path / "mlflow.db").read_bytes() == before
