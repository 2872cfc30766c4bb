"""Other commands find the model servers of a home."""

import os
from pathlib import Path

import pytest

from pipelines.servers import running_servers
from pipelines.servers.running_servers import FOLDER, announce, running_model_server
from pipelines.settings import Settings, load_settings

FIRST, SECOND = "127.0.0.1:1001", "127.0.0.1:1002"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(running_servers, "_answers", lambda _: True)
    return load_settings(home=tmp_path)


def test_the_end_of_one_server_leaves_the_other_one_announced(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with announce(settings, FIRST):
        with monkeypatch.context() as patch:
            patch.setattr("os.getpid", os.getppid)  # that of a second process, which runs too
            with announce(settings, SECOND):
                assert running_model_server(settings) in (FIRST, SECOND)
        assert running_model_server(settings) == FIRST
    assert running_model_server(settings) == ""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("{pid}", '{"model_server": "127.0.0.1:1", "releases": "/others"}'),
        ("{pid}", '{"model_server": "10.0.0.1:1", "releases": "%s"}'),
        ("{pid}", '{"releases": "%s"}'),
        ("{pid}", "{"),
        ("4194305", '{"model_server": "127.0.0.1:1", "releases": "%s"}'),  # above the largest id of Linux
        ("name", '{"model_server": "127.0.0.1:1", "releases": "%s"}'),
    ],
)
def test_what_no_running_server_of_the_releases_wrote_is_left_aside(
    name: str, text: str, settings: Settings
) -> None:
    folder = settings.home / FOLDER
    folder.mkdir()
    file = folder / f"{name.format(pid=os.getpid())}.json"
    file.write_text(text.replace("%s", settings.releases))
    assert running_model_server(settings) == ""
