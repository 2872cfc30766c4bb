"""Pushes, rollbacks, registrations and ingests that are killed at each of their writes.

With MLflow's database and files, and a release of all parts; most kills are inside this process (see
tests/fault_points.py), some are a SIGKILL of a process of their own.
"""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing, nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from unittest.mock import patch

from components.errors import StepError
from components.push_release import promotion, publication
from components.push_release.live_switch import switch
from components.push_release.publication import verify
from components.push_release.recovery import recover
from components.register_release.model_registry import REJECTED, Registry
from feature_repo.store_addresses import FeatureStoreAddresses
from serving.errors import PenchantError
from serving.release.release_store import ReleaseStore
from tests.attack.figures import Figure
from tests.components.ingest_interactions.conftest import Home as Warehouse
from tests.components.push_release.conftest import MATERIALIZE
from tests.components.register_release.test_registration import MODEL, Release
from tests.fault_points import count_writes, die_at_write, kill_at_write

# Real SIGKILLs: each needs a process that imports MLflow.
SIGKILLS: Final = 4


class Home:
    """Three registered versions, of which 1 was live before 2; `restore` goes back to this state."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.database = folder, folder / "mlflow.db"
        self.tracking_uri = f"sqlite:///{self.database}"
        self.releases, self.copy = folder / "releases", folder.with_name("copy")
        self.store = ReleaseStore(str(self.releases))

    def prepare(self) -> None:
        self.folder.mkdir()
        self.release = Release(self.folder, self.tracking_uri)
        for _ in range(3):
            self.release.register()
        self.push(1)
        self.push(2)
        shutil.copytree(self.releases, self.copy / "releases")
        _copy_database(self.database, self.copy / "mlflow.db")

    def restore(self) -> None:
        shutil.rmtree(self.releases)
        shutil.copytree(self.copy / "releases", self.releases)
        _copy_database(self.copy / "mlflow.db", self.database)

    def push(self, version: int) -> None:
        addresses = FeatureStoreAddresses("features", "registry.db", "online.db")
        uri, releases = self.tracking_uri, str(self.releases)
        promotion.push(version, "ada", MODEL, uri, releases, "", addresses, uri, "better", by_person=True)

    def reject(self, version: int) -> None:
        registry = Registry(self.tracking_uri, MODEL, self.tracking_uri)
        registry.decide(version, REJECTED, "grace", "too many sequels")

    def recover(self) -> None:
        """As the next command does."""
        recover(self.store, Registry(self.tracking_uri, MODEL, self.tracking_uri), undo=True)

    def is_consistent(self) -> bool:
        """Return whether store, aliases, tags and history say the same, and nothing is left to finish."""
        registry, live = Registry(self.tracking_uri, MODEL, self.tracking_uri), self.store.live()
        acts = [record for record in registry.history.records() if record.live_after is not None]
        published = self.store.versions()
        return (
            live in published
            and self.store.directories() == published
            and registry.aliases_and_tags()[0].get("live") == live == acts[-1].live_after
            and all(registry.version(number).review != REJECTED for number in published if number != live)
            and registry.history.verify() == []
            and recover(self.store, registry, undo=True) == []
        )

    def is_whole(self, version: int) -> bool:
        """Return whether `version` is live in store and registry, and all that is published opens."""
        try:
            for published in self.store.versions():
                self.store.open(published)
        except PenchantError:
            return False
        entry = Registry(self.tracking_uri, MODEL, self.tracking_uri).version(version)
        return self.store.live() == version and "live" in entry.aliases and entry.review == "approved"


def _copy_database(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as opened, closing(sqlite3.connect(target)) as copy:
        opened.backup(copy)


def figures() -> list[Figure]:
    with TemporaryDirectory(prefix="killed-pushes-") as folder, ExitStack() as stack:
        _without_model(stack)
        home = Home(Path(folder, "home"))
        home.prepare()
        rows = [_walk(what, home, action, then) for what, action, then in _actions(home)]
        rows.append(_registrations(home))
        rows.append(_sigkills(home))
        rows.append(_retractions(Path(folder, "warehouse")))
    return rows


def _without_model(stack: ExitStack) -> None:
    """Skip the smoke test and the users' interests, which need a model; keep few versions, to prune some."""
    stack.enter_context(patch(MATERIALIZE, lambda *arguments: None))
    stack.enter_context(patch.object(promotion, "smoke_test", lambda *arguments: nullcontext()))
    stack.enter_context(patch.object(publication, "KEEP", 1))


Action = Callable[[], object]


def _actions(home: Home) -> list[tuple[str, Action, Callable[[], bool]]]:
    """Return actions with a name, and what follows a kill: the same command, and the check of its result."""

    def fail() -> None:
        with patch.object(promotion, "smoke_test", side_effect=StepError("no answer")):
            try:
                home.push(3)
            except StepError:
                return

    def push_then(version: int) -> Callable[[], bool]:
        def then() -> bool:
            home.push(version)
            return home.is_whole(version)

        return then

    def next_command() -> bool:
        home.recover()
        return home.is_consistent()

    def roll_back() -> None:
        switch(home.store, 1, "rolled back", "ada", "empty answers", pinned=True)
        home.recover()

    return [
        ("a push, then again", partial(home.push, 3), push_then(3)),
        ("a push, then a rollback", partial(home.push, 3), push_then(1)),
        ("a rollback, then again", partial(home.push, 1), push_then(1)),
        ("a failed smoke test, then a sound one", fail, push_then(3)),
        ("a rejection, then an approval", partial(home.reject, 3), push_then(3)),
        ("a push, then any command", partial(home.push, 3), next_command),
        ("a rejection, then any command", partial(home.reject, 1), next_command),
        ("a rollback, then any command", roll_back, next_command),
    ]


def _walk(what: str, home: Home, action: Action, then: Callable[[], bool]) -> Figure:
    home.restore()
    writes = count_writes(home.folder, action)
    whole = 0
    for number in range(1, writes + 1):
        home.restore()
        kill_at_write(home.folder, number, action)
        is_served = home.store.live() in home.store.versions()
        whole += is_served and then()
    return _figure(f"killed: {what}", whole, writes)


def _registrations(home: Home) -> Figure:
    """A killed registration leaves versions that can all be downloaded, and the next one registers."""
    home.restore()
    writes, whole = count_writes(home.folder, home.release.register), 0
    for number in range(1, writes + 1):
        home.restore()
        kill_at_write(home.folder, number, home.release.register)
        newest, registry = home.release.register(), Registry(home.tracking_uri, MODEL, home.tracking_uri)
        with TemporaryDirectory() as downloads:
            for version in registry.versions():
                verify(registry.download(version.number, Path(downloads, str(version.number))))
        whole += registry.version(newest).aliases == ["candidate"]
    return _figure("killed: a registration, then another", whole, writes)


def _sigkills(home: Home) -> Figure:
    home.restore()
    writes = count_writes(home.folder, partial(home.push, 3))
    whole = 0
    for number in (1 + round(k * (writes - 1) / (SIGKILLS - 1)) for k in range(SIGKILLS)):
        home.restore()
        call = f"push_and_die({str(home.folder)!r}, {number})"
        program = f"from tests.attack.killed_pushes import push_and_die; {call}"
        done = subprocess.run([sys.executable, "-c", program], check=False)
        home.push(3)
        whole += done.returncode < 0 and home.is_whole(3)
    return _figure("SIGKILL of a push, then again", whole, SIGKILLS)


def push_and_die(folder: str, number: int) -> None:
    """Push version 3; SIGKILL at a write."""
    home = Home(Path(folder))
    with ExitStack() as stack:
        _without_model(stack)
        die_at_write(home.folder, number, partial(home.push, 3))


def _retractions(folder: Path) -> Figure:
    """An ingest of a corrected file and a retraction, as in the tests of the warehouse."""
    folder.mkdir()
    home = Warehouse(folder)
    rows = "user_id,item_id,timestamp\nann,tea,1700000000\nann,milk,1700000005\n"
    file = home.write("log.csv", rows)
    home.ingest(interactions_file=file)
    shutil.copytree(home.warehouse, folder / "copy")
    home.write("log.csv", rows.replace("milk", "cake"))
    correct = partial(home.ingest, interactions_file=file)
    writes, whole = count_writes(home.warehouse, correct), 0
    for number in range(1, writes + 1):
        shutil.rmtree(home.warehouse)
        shutil.copytree(folder / "copy", home.warehouse)
        kill_at_write(home.warehouse, number, correct)
        correct()
        whole += [row["item_id"] for row in home.rows("interactions")] == ["tea", "cake"]
    return _figure("killed: an ingest of a corrected file, then again", whole, writes)


def _figure(what: str, whole: int, writes: int) -> Figure:
    return Figure(what, f"{whole} of {writes} writes whole", "all", writes > 0 and whole == writes)
