"""Fixtures: a model server and models for it.

The conformance suite uses the official client. To run it against the real TensorFlow Serving, start that with
--file_system_poll_wait_seconds=1 and any model, and set its address and a directory that both sides see under
the same path:

    export MODEL_SERVER_ADDRESS=host:8500 MODEL_SERVER_BASE_PATH=/models
    pytest tests/serving/model_server -k conformance
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import grpc
import pytest

from serving.model_server.server import create_server
from tests.serving.model_server.served_model import AVAILABLE, RELOAD_TOKEN, Client, ServedModel
from tests.serving.model_server.tiny_model import export


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Mapping[float, Path]:
    """SavedModels by scale."""
    directory = tmp_path_factory.mktemp("releases")
    return {scale: export(directory / str(scale), scale) for scale in (1.0, 2.0)}


@pytest.fixture(scope="session")
def client(releases: Mapping[float, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of the server at MODEL_SERVER_ADDRESS, or of an embedded one."""
    if address := os.environ.get("MODEL_SERVER_ADDRESS"):
        with grpc.insecure_channel(address) as channel:
            yield Client(channel, Path(os.environ["MODEL_SERVER_BASE_PATH"]), embedded=False)
        return
    base_path = tmp_path_factory.mktemp("models")
    token = base_path / "token"
    token.write_text(RELOAD_TOKEN)
    server, port = create_server(base_path, model_name="first", poll_seconds=0.05, reload_token_file=token)
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Client(channel, base_path, embedded=True)
    server.stop().wait()


@pytest.fixture
def new_model(client: Client, releases: Mapping[float, Path]) -> Iterator[Callable[[], ServedModel]]:
    """A function that makes models with unique names and no versions."""
    models: list[ServedModel] = []

    def make() -> ServedModel:
        models.append(ServedModel(f"model-{time.monotonic_ns()}", client, releases))
        return models[-1]

    yield make
    for model in models:
        shutil.rmtree(model.path, ignore_errors=True)


@pytest.fixture
def model(new_model: Callable[[], ServedModel]) -> ServedModel:
    """A model that serves version 1; no other model is configured."""
    model = new_model()
    model.publish(1)
    model.reload()
    model.wait_for(1, AVAILABLE)
    return model
