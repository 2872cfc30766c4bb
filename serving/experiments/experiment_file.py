"""Reads and writes the experiment file, beside live.json, and keeps every experiment that there was.

experiment.json           the last experiment, running or stopped, with all acts; replaced atomically
experiments/<name>.json   the one before, and so on; written before its successor starts

An act and what it changes are one write, so a killed command loses no act. Of two commands at the same time,
the second one is refused: it would lose the act of the first one. A lock makes sure of that in a local store;
in an object store, which has none, the last one of two writes in the same instant wins.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from fsspec.implementations.local import LocalFileSystem

from feature_repo.atomic_files import atomic_upload
from serving.experiments.experiment import Act, Experiment, parse_experiment
from serving.release.published_versions import PublishedVersions

EXPERIMENT: Final = "experiment.json"
FORMER: Final = "experiments"


class ExperimentFile:
    """The experiment file of a release store; each method may raise Unavailable for a URL."""

    def __init__(self, store: PublishedVersions) -> None:
        self.store = store
        self.path: Final = f"{store.root}/{EXPERIMENT}"

    def content(self) -> bytes | None:
        """Return the file as it is; None before the first experiment."""
        return self._read(self.path)

    def read(self) -> Experiment | None:
        """Return the last experiment; None before the first one.

        Raises:
            ValueError: the file is damaged.
        """
        content = self.content()
        return None if content is None else self._parse(self.path, content)

    def start(self, experiment: Experiment) -> None:
        """Make an experiment the current one; its predecessor joins the former ones.

        Raises:
            ValueError: another one is running, or its name was used before.
        """
        with self._locked():
            last = self.read()
            if last is not None and last.is_running:
                raise ValueError(
                    f"experiment {last.name} is running: `penchant experiment stop` ends it, one runs at a "
                    "time"
                )
            names = [each.name for each in self.history()]
            if experiment.name in names:
                raise ValueError(
                    f"experiment {experiment.name} exists already, with its own assignment of users: "
                    "choose another name"
                )
            if last is not None:
                self._write(f"{self.store.root}/{FORMER}/{last.name}.json", last)
            self._write(self.path, experiment)

    def replace(self, experiment: Experiment) -> None:
        """Replace the current experiment by its state after a further act.

        Raises:
            ValueError: there was another act meanwhile, or another experiment.
        """
        with self._locked():
            last = self.read()
            if last is None or (last.name, last.acts) != (experiment.name, experiment.acts[:-1]):
                raise ValueError(
                    f"experiment {experiment.name} was changed meanwhile: look at it with `penchant "
                    "experiment show`, and repeat the command"
                )
            self._write(self.path, experiment)

    def stop(self, name: str, act: Act) -> None:
        """Stop an experiment, unless it has ended; raises the error of `replace`."""
        last = self.read()
        if last is not None and last.name == name and last.is_running:
            self.replace(last.with_act(act))

    def history(self) -> list[Experiment]:
        """Return all experiments, oldest first.

        Raises:
            ValueError: a file is damaged.
        """
        try:
            with self.store.reached():
                files = self.store.filesystem.ls(f"{self.store.root}/{FORMER}", detail=False)
        except FileNotFoundError:
            files = []
        named = {file: self._read(file) for file in [*files, self.path] if file.endswith(".json")}
        found = [self._parse(file, content) for file, content in named.items() if content is not None]
        by_name = {experiment.name: experiment for experiment in found}
        return sorted(by_name.values(), key=lambda experiment: experiment.acts[0].at)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold a lock on the folder of a local store, between processes and threads."""
        if not isinstance(self.store.filesystem, LocalFileSystem):
            yield
            return
        Path(self.store.root).mkdir(parents=True, exist_ok=True)
        folder = os.open(self.store.root, os.O_RDONLY)
        try:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _read(self, path: str) -> bytes | None:
        try:
            with self.store.reached(), self.store.filesystem.open(path, "rb") as file:
                content: bytes = file.read()
        except FileNotFoundError:
            return None
        return content

    def _parse(self, path: str, content: bytes) -> Experiment:
        try:
            return parse_experiment(content)
        except ValueError as error:
            raise ValueError(f"experiment file {path} can't be used: {error}") from error

    def _write(self, path: str, experiment: Experiment) -> None:
        with self.store.reached(), atomic_upload(self.store.filesystem, path) as file:
            file.write(experiment.model_dump_json(indent=2).encode())
