"""The commands start servers by whatever the environment asks of them."""

import json
from pathlib import Path

import pytest

from pipelines.serving_processes import serving
from pipelines.settings import load_settings
from serving.client import Recommender
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
        with Recommender(address, timeout_s=20, tls_roots=certificates.authority) as client:
            assert client.record("u", "comedy-1")
