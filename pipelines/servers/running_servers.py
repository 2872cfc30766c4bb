"""Where the servers of a running `penchant serve` listen, for other commands in the same home."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from feature_repo.atomic_files import write_text_atomically
from pipelines.settings import Settings
from serving.connections.loopback import is_loopback
from serving.errors import Unavailable
from serving.interest.model_server_client import InterestClient

FILE: Final = "servers.json"
_ANSWER_TIMEOUT_S: Final = 1.0


@contextmanager
def announce(settings: Settings, model_server: str) -> Iterator[None]:
    """Write the address of the embedded model server to the home while the block runs."""
    file = settings.home / FILE
    content = {"pid": os.getpid(), "releases": settings.releases, "model_server": model_server}
    text = json.dumps(content)
    write_text_atomically(file, text)
    try:
        yield
    finally:
        if file.exists() and file.read_text() == text:  # another `penchant serve` may have written its own
            file.unlink(missing_ok=True)


def running_model_server(settings: Settings) -> str:
    """Return host:port of a model server that serves the releases of the settings, "" if none answers."""
    try:
        content = json.loads((settings.home / FILE).read_text())
        address, pid, releases = content["model_server"], content["pid"], content["releases"]
        os.kill(pid, 0)
    except (OSError, ValueError, KeyError, TypeError):  # none runs, or what a killed one left
        return ""
    if releases != settings.releases or not is_loopback(address):
        return ""
    client = InterestClient(address)
    try:
        client.available_versions(_ANSWER_TIMEOUT_S)
    except Unavailable:
        return ""
    finally:
        client.close()
    return str(address)
