"""Reads and writes the experiment file, beside live.json, and keeps every experiment that there was.

experiment.json           the last experiment, running or stopped, with all acts; replaced atomically
experiments/<name>.json   the one before, and so on; written before its successor starts

An act and what it changes are one write, so a killed command loses no act. Two commands at the same time are
those of two operators: the last one to write wins, and its file has its own acts.
"""

from typing import Final

from feature_repo.atomic_files import atomic_upload
from serving.experiments.experiment import Experiment, parse_experiment
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
        last = self.read()
        if last is not None and last.is_running:
            raise ValueError(
                f"experiment {last.name} is running: `penchant experiment stop` ends it, one runs at a time"
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
        """Replace the current experiment by its state after a further act."""
        self._write(self.path, experiment)

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
