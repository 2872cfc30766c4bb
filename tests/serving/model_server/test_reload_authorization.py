"""HandleReloadConfigRequest is off by default, needs a token, and names only models below the base path."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest

from serving.model_server.server import StartError, create_server
from tests.serving.model_server.served_model import RELOAD_TOKEN, Client, ServedModel, fails


@contextmanager
def served(base_path: Path, token_file: Path | None = None) -> Iterator[Client]:
    base_path.mkdir(exist_ok=True)
    server, port = create_server(base_path, reload_token_file=token_file)
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Client(channel, base_path, embedded=True)
    server.stop().wait()


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(f"{RELOAD_TOKEN}\n")
    return file


def request(model: ServedModel) -> ReloadConfigRequest:
    config = ReloadConfigRequest()
    config.config.model_config_list.config.append(model.config())
    return config


def test_a_reload_is_off_by_default(tmp_path: Path, releases: Mapping[float, Path]) -> None:
    with served(tmp_path / "models") as client:
        model = ServedModel("model", client, releases)
        model.publish(1)
        with fails(grpc.StatusCode.PERMISSION_DENIED, "is off: start", "--reload-token-file"):
            model.reload()


def test_a_reload_needs_the_token(tmp_path: Path, releases: Mapping[float, Path], token_file: Path) -> None:
    with served(tmp_path / "models", token_file) as client:
        model = ServedModel("model", client, releases)
        model.publish(1)
        with fails(grpc.StatusCode.UNAUTHENTICATED, "expected metadata 'authorization"):
            client.reload_request(request(model), "another token, as long")
        model.reload()
        assert model.interest() == [1.0, 1.0]


def test_a_reload_names_only_models_below_the_base_path(
    tmp_path: Path, releases: Mapping[float, Path], token_file: Path
) -> None:
    with served(tmp_path / "models", token_file) as client:
        model = ServedModel("../elsewhere", client, releases)
        (tmp_path / "elsewhere").mkdir()
        with fails(grpc.StatusCode.PERMISSION_DENIED, "expected a base path below"):
            model.reload()
        link = tmp_path / "models" / "link"
        link.symlink_to(tmp_path / "elsewhere")
        with fails(grpc.StatusCode.PERMISSION_DENIED, "expected a base path below"):
            ServedModel("link", client, releases).reload()


def test_a_short_or_missing_token_stops_the_start(tmp_path: Path) -> None:
    short = tmp_path / "token"
    short.write_text("secret")
    with pytest.raises(ValueError, match="expected a token of at least 16 characters, got 6"):
        create_server(tmp_path, reload_token_file=short)
    with pytest.raises(StartError, match="No such file"):
        create_server(tmp_path, reload_token_file=tmp_path / "none")
