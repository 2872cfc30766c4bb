"""MLflow's database comes into being as a whole."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from mlflow import environment_variables
from sqlalchemy import Engine, event

from components.errors import StepError
from components.mlflow_client import connect, mlflow_errors


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


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "postgresql://ada:secret@127.0.0.1:9/mlflow"])
def test_an_mlflow_that_is_down_is_named_with_what_to_do(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(StepError) as caught, mlflow_errors(address):
        connect(address).search_experiments()

    message = str(caught.value)
    assert message.startswith(f"MLflow at {address.replace('secret', '***')} gave no answer: ")
    assert message.endswith("onnection refused; try again when it is up")
    assert "secret" not in message


def test_a_step_does_not_wait_for_an_mlflow_as_long_as_mlflow_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "7")
    connect("http://127.0.0.1:9")
    assert int(environment_variables.MLFLOW_HTTP_REQUEST_MAX_RETRIES.get()) == 5
    assert int(environment_variables.MLFLOW_HTTP_REQUEST_TIMEOUT.get()) == 7  # the environment's own
