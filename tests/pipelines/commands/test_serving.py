"""`recommend` and `record` send a token, use TLS, and never print the token; `serve` takes its port."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.commands.errors import FAILED
from tests.serving.service import running
from tests.serving.tls import issue

TOKEN = "a-token-of-some-length"


def test_recommend_and_record_send_the_token_over_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = issue(tmp_path)
    secured: dict[str, Any] = {
        "tokens": {"admin": [TOKEN]},
        "tls_certificate": certificates.server,
        "tls_key": certificates.server_key,
    }
    with running(tmp_path, live=None, **secured) as service:
        service.go_live(1)
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setenv("PENCHANT_ADDRESS", service.address.replace("127.0.0.1", "localhost"))
        monkeypatch.setenv("PENCHANT_TLS_ROOTS", str(certificates.authority))
        runner = CliRunner()
        refused = runner.invoke(app, ["record", "u", "comedy-1"])
        assert (refused.exit_code, "authorization: Bearer TOKEN" in refused.output) == (FAILED, True)

        monkeypatch.setenv("PENCHANT_TOKEN", TOKEN)
        recorded = runner.invoke(app, ["record", "u", "comedy-1"])
        assert recorded.exit_code == 0, recorded.output
        answered = runner.invoke(app, ["recommend", "u", "--json", "--scenario", "content", "--explain"])
        assert answered.exit_code == 0, answered.output
        answer = json.loads(answered.output)
        assert answer["basis"] == "history"
        assert {item["rule"] for item in answer["removed"]} == {"max_per_category"}
        table = runner.invoke(app, ["recommend", "u", "--k", "40", "--explain", "--token", TOKEN])
        assert "removed: Comedy 1 of 1 (seen)" in table.output
        assert "no more items, since rules removed: seen 1" in table.output
        unknown = runner.invoke(app, ["recommend", "u", "--scenario", "feed"])
        assert "scenario: expected one of ads, content, email, social" in unknown.output
        searched = runner.invoke(app, ["record", "u", "--query", "horror"])
        assert searched.exit_code == 0, searched.output
        assert "matches your search 'horror'" in runner.invoke(app, ["recommend", "u"]).output
        both = runner.invoke(app, ["record", "u", "comedy-2", "--query", "horror"])
        assert "ITEM or --query TEXT" in both.output
        help_text = runner.invoke(app, ["recommend", "--help"]).output
        assert TOKEN not in help_text + refused.output + recorded.output + answered.output + table.output


def test_serve_takes_the_port_of_the_environment_unless_an_option_names_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve = Mock(side_effect=lambda *_, **__: nullcontext(Mock()))
    monkeypatch.setattr("pipelines.servers.servers.serve_live_release", serve)
    monkeypatch.setattr("signal.signal", Mock())  # the handlers of the tests stay
    for arguments in ([], ["--port", "50053"]):
        result = CliRunner().invoke(
            app, ["serve", "--home", str(tmp_path), *arguments], env={"PENCHANT_PORT": "50052"}
        )
        assert result.exit_code == 0, result.output
    assert [call.args[1] for call in serve.call_args_list] == [50052, 50053]
