"""Where the model server of each running `penchant serve` listens, for other commands in the same home."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from feature_repo.atomic_files import write_text_atomically
from pipelines.settings import Settings
from serving.connections.loopback import is_loopback
from serving.errors import Unavailable
from serving.interest.model_server_client import InterestClient

# A file of this folder of the home for each `penchant serve`, named by its process.
FOLDER: Final = "servers"
_ANSWER_TIMEOUT_S: Final = 1.0


@contextmanager
def announce(settings: Settings, model_server: str) -> Iterator[None]:
    """Write the address of the embedded model server to the home while the block runs."""
    file = settings.home / FOLDER / f"{os.getpid()}.json"
    file.parent.mkdir(exist_ok=True)
    write_text_atomically(file, json.dumps({"releases": settings.releases, "model_server": model_server}))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def running_model_server(settings: Settings) -> str:
    """Return host:port of a model server that serves the releases of the settings, "" if none answers."""
    for file in sorted((settings.home / FOLDER).glob("*.json")):
        if (address := _announced(file, settings.releases)) and _answers(address):
            return address
    return ""


def _announced(file: Path, releases: str) -> str:
    """Return the address in a file, "" for what a killed process left, and for other releases."""
    try:
        os.kill(int(file.stem), 0)
        content = json.loads(file.read_text())
        address, served = content["model_server"], content["releases"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return str(address) if served == releases and is_loopback(address) else ""


def _answers(address: str) -> bool:
    client = InterestClient(address)
    try:
        client.available_versions(_ANSWER_TIMEOUT_S)
    except Unavailable:
        return False
    finally:
        client.close()
    return True
