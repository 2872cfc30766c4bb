"""The commands start servers by whatever the environment asks of them."""

import json
import math
from pathlib import Path

import pytest

from pipelines import serving_processes
from pipelines.serving_processes import ServingProcesses, serving
from pipelines.settings import load_settings
from serving.client import Recommender
from tests.patience import HANG_S
from tests.serving.planted import write_release
from tests.serving.tls import issue


def test_a_recommender_that_speaks_tls_is_served_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificates = issue(tmp_path)
    monkeypatch.setenv("PENCHANT_TLS_CERTIFICATE", str(certificates.server))
    monkeypatch.setenv("PENCHANT_TLS_KEY", str(certificates.server_key))
    write_release(tmp_path / "releases", 1)
    (tmp_path / "releases" / "live.json").write_text(json.dumps({"version": 1}))
    nobody = load_settings(home=tmp_path, model_server="127.0.0.1:1")
    with serving(nobody, port=0, model_port=0) as processes:
        address = processes.recommender.replace("127.0.0.1", "localhost")
        with Recommender(address, timeout_s=HANG_S, tls_roots=certificates.authority) as client:
            assert client.record("u", "comedy-1")


def test_a_server_that_ends_by_itself_is_started_again_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_release(tmp_path / "releases", 1)
    (tmp_path / "releases" / "live.json").write_text(json.dumps({"version": 1}))
    nobody, told = load_settings(home=tmp_path, model_server="127.0.0.1:1"), list[str]()
    with serving(nobody, port=0, model_port=0) as processes:
        processes.start_dead(told.append)
        assert told == []

        monkeypatch.setattr(serving_processes, "PAUSE_S", math.inf)
        kill(processes)
        processes.start_dead(told.append)
        assert told == []  # it has only just started, and may end again

        monkeypatch.setattr(serving_processes, "PAUSE_S", 0.0)
        processes.start_dead(told.append)
        assert "server ended with exit code -9" in told[0]
        with Recommender(processes.recommender, timeout_s=HANG_S) as client:
            assert client.record("u", "comedy-1")


def kill(processes: ServingProcesses) -> None:
    processes.started[0].popen.kill()
    processes.started[0].popen.wait()
