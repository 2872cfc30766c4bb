"""`serve_live_release` starts the servers with the settings of the environment, and restarts them."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.errors import RunError
from pipelines.privacy.home_encryption import encrypt_home
from pipelines.servers import supervised_process
from pipelines.servers.servers import serve_live_release
from pipelines.settings import Settings, load_settings
from serving.client import Recommender
from tests.encrypted_homes import KEY
from tests.fake_model_server import fake_model_server
from tests.patience import HANG_S
from tests.serving.planted import write_release
from tests.serving.tls import issue


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """A home with a live release, and a model server that has it: without one a recommender starts late."""
    write_release(tmp_path / "releases", 1)
    (tmp_path / "releases" / "live.json").write_text(json.dumps({"version": 1}))
    with fake_model_server() as server:
        yield load_settings(home=tmp_path, model_server=server.address)


def test_a_recommender_with_tls_is_served(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = issue(tmp_path)
    monkeypatch.setenv("PENCHANT_TLS_CERTIFICATE", str(certificates.server))
    monkeypatch.setenv("PENCHANT_TLS_KEY", str(certificates.server_key))
    with serve_live_release(settings, port=0, model_port=0) as processes:
        address = processes.recommender.replace("127.0.0.1", "localhost")
        with Recommender(address, timeout_s=HANG_S, tls_roots=certificates.authority) as client:
            assert client.record("u", "comedy-1")


def test_the_servers_of_an_encrypted_home_get_it_though_the_environment_names_none(
    mounts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (mounts / "key").write_bytes(KEY)
    monkeypatch.setenv("PENCHANT_ENCRYPTION_KEY_FILE", str(mounts / "key"))
    home = mounts / "home"
    write_release(home / "releases", 1)
    (home / "releases" / "live.json").write_text(json.dumps({"version": 1}))
    encrypt_home(Settings.read(home=home), KEY)
    with fake_model_server() as server:
        settings = load_settings(home=home, model_server=server.address)
        with (
            serve_live_release(settings, port=0, model_port=0) as processes,
            Recommender(processes.recommender, timeout_s=HANG_S) as client,
        ):
            assert client.record("u", "comedy-1")


@pytest.mark.usefixtures("dead_proxy")
def test_a_recommender_is_served_when_the_environment_names_a_proxy(settings: Settings) -> None:
    with (
        serve_live_release(settings, port=0, model_port=0) as processes,
        Recommender(processes.recommender, timeout_s=HANG_S) as client,
    ):
        assert client.record("u", "comedy-1")


def test_a_server_that_ended_is_restarted_on_its_port_after_the_delay(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages: list[str] = []
    with serve_live_release(settings, port=0, model_port=0) as processes:
        (server,) = processes.processes
        processes.restart_ended(messages.append)
        assert messages == []

        server.process.popen.kill()
        server.process.popen.wait()
        monkeypatch.setattr(supervised_process, "RESTART_DELAY_S", math.inf)
        processes.restart_ended(messages.append)
        assert messages == []

        monkeypatch.setattr(supervised_process, "RESTART_DELAY_S", 0.0)
        processes.restart_ended(messages.append)
        (message,) = messages
        assert "server ended with exit code -9" in message
        with Recommender(processes.recommender, timeout_s=HANG_S) as client:
            assert client.record("u", "comedy-1")


def test_serving_without_a_live_release_says_how_to_get_one(tmp_path: Path) -> None:
    with (
        pytest.raises(RunError, match=r"no release is live .*penchant run"),
        serve_live_release(load_settings(home=tmp_path), port=0, model_port=0),
    ):
        pass
