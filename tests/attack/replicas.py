"""Recommenders without a release, which only record, as processes that can be killed."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Self


class Replica:
    """A recommender over the log at `url`; a context manager that ends it."""

    def __init__(self, home: Path, url: str) -> None:
        self._environment = {
            **os.environ,
            "PENCHANT_HOME": str(home),
            "PENCHANT_PORT": "0",
            "PENCHANT_INTERACTION_LOG": url,
        }
        self._process = self._start()

    def kill(self) -> None:
        """Kill the process, and start another one, which has another address."""
        self._process.kill()
        self._process.wait()
        self._process = self._start()

    def _start(self) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "serving.server"],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        self.address: str = process.stdout.readline().split(" on ")[1].strip()
        return process

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
