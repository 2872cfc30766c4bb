"""A push that is killed at any of its writes leaves a whole live release, and the next command completes."""

import shutil
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest

from components.errors import StepError
from components.push_release import promotion, publication
from components.push_release.live_switch import switch
from components.push_release.promotion import push
from components.push_release.recovery import recover
from components.register_release.registered_version import REJECTED, WAITING
from components.register_release.review_history import Act
from feature_repo.store_addresses import FeatureStoreAddresses
from serving.release.release_store import ReleaseStore
from tests.components.push_release.conftest import MATERIALIZE
from tests.components.push_release.fake_registry import FileRegistry
from tests.fault_points import count_writes, kill_at_write
from tests.serving.planted import write_release

# Tags that hold a time.
TIMES = ("reviewed_at", "went_live_at")


class Home:
    """Three registered versions, of which 1 was live before 2; every walk starts from this state."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.copy = folder / "home", folder / "copy"
        self.folder.mkdir()
        self.store = ReleaseStore(str(self.folder / "releases"))
        write_release(folder / "written", 1)
        release = folder / "release"
        for kind in ("ranking", "interest"):
            shutil.copytree(folder / "written" / kind / "1", release / kind)
        self.registry = FileRegistry(self.folder / "registry.json", release, versions=3)

    def save(self) -> None:
        self.push(1)
        self.push(2)
        self.registry.point_candidate(3)
        for version in (1, 2, 3):
            self.registry.history.append(Act.REGISTERED, version, "run 7")
        shutil.copytree(self.folder, self.copy)

    def push(self, version: int) -> None:
        addresses = FeatureStoreAddresses("features", "registry.db", "online.db")
        push(version, "ada", "penchant", "", self.store.root, "", addresses, "")

    def restore(self) -> None:
        shutil.rmtree(self.folder)
        shutil.copytree(self.copy, self.folder, copy_function=_link)

    def state(self) -> dict[str, Any]:
        """Everything that a command can see, without times."""
        live = {k: value for k, value in self.store.live_record().items() if k not in ("since", "switch")}
        versions = self.registry.versions()
        tags = {v.number: {k: t for k, t in v.tags.items() if k not in TIMES} for v in versions}
        files = sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*"))
        files = [file for file in files if "switches/" not in file]
        last = self.registry.history.records()[-1]
        act = (last.act, last.version, last.live_after)
        return {
            "live": live,
            "tags": tags,
            "aliases": [v.aliases for v in versions],
            "files": files,
            "act": act,
        }

    def check(self) -> None:
        """The live version is published, and what is published can be opened."""
        assert self.store.live() in self.store.versions()
        for version in self.store.versions():
            self.store.open(version)
        assert self.registry.history.verify() == []

    def recover(self) -> list[str]:
        return recover(self.store, self.registry, undo=True)


def _link(source: str, target: str) -> None:
    """Link a file, which is fast; those of registry and history are copied: they are changed in place."""
    if source.endswith(("registry.json", "history.db")):
        shutil.copy2(source, target)
    else:
        Path(target).hardlink_to(source)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A store that keeps one version beside the live and the previous one; the smoke test does nothing."""
    home = Home(tmp_path)
    monkeypatch.setattr(promotion, "Registry", lambda *arguments: home.registry)
    monkeypatch.setattr(MATERIALIZE, lambda *arguments: None)
    monkeypatch.setattr(promotion, "smoke_test", lambda *arguments: nullcontext())
    monkeypatch.setattr(publication, "KEEP", 1)
    home.save()
    return home


def walk(home: Home, action: Callable[[], object], *next_actions: Callable[[], object]) -> int:
    """Kill the action at each write, and check that each next action ends as without a kill.

    Returns:
        The number of writes.
    """
    home.restore()
    writes = count_writes(home.folder, action)
    for next_action in next_actions:
        home.restore()
        action()
        next_action()
        home.check()
        expected = home.state()
        for number in range(1, writes + 1):
            home.restore()
            kill_at_write(home.folder, number, action)
            home.check()
            next_action()
            assert home.state() == expected, f"killed at write {number} of {writes}"
    return writes


def test_a_push_is_completed_by_the_same_push(home: Home) -> None:
    def push() -> None:
        home.push(3)

    assert walk(home, push, push) > 10


def test_a_rollback_is_completed_by_the_same_rollback(home: Home) -> None:
    def roll_back() -> None:
        home.push(1)

    assert walk(home, roll_back, roll_back) > 5


def test_a_push_of_another_version_follows_a_killed_one(home: Home) -> None:
    """The killed version may stay half published: it is no published version, and it is not live."""
    home.restore()
    writes = count_writes(home.folder, lambda: home.push(3))
    for number in range(1, writes + 1):
        home.restore()
        kill_at_write(home.folder, number, lambda: home.push(3))
        home.push(1)
        home.check()
        assert home.store.live() == 1
        assert "live" in home.registry.version(1).aliases


def test_a_failing_push_is_followed_by_a_sound_one(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise StepError("no answer")

    def push_failing() -> None:
        with monkeypatch.context() as patch, suppress(StepError):
            patch.setattr(promotion, "smoke_test", fail)
            home.push(3)

    assert walk(home, push_failing, lambda: home.push(3)) > 10


def test_a_rejection_is_completed_by_the_same_rejection(home: Home) -> None:
    def reject() -> None:
        home.registry.decide(3, REJECTED, "grace", "too many sequels")

    assert walk(home, reject, reject) > 3


def test_a_killed_push_is_finished_or_undone_by_the_next_command(home: Home) -> None:
    """Before the switch the version waits again and is not published; after it everybody knows of it."""
    home.restore()
    writes, finished = count_writes(home.folder, lambda: home.push(3)), 0
    for number in range(1, writes + 1):
        home.restore()
        kill_at_write(home.folder, number, lambda: home.push(3))
        home.recover()
        home.check()
        entry, last = home.registry.version(3), home.registry.history.records()[-1]
        if home.store.live() == 3:
            finished += 1
            assert (entry.review, entry.aliases, last.act, last.live_after) == (
                "approved",
                ["live"],
                "pushed",
                3,
            )
            assert home.registry.version(2).aliases == ["previous"]
        else:
            assert (entry.review, entry.aliases) == (WAITING, ["candidate"])
            assert 3 not in home.store.directories()
            assert (last.act, last.version) == (("interrupted" if number > 1 else "registered"), 3)
        assert home.recover() == []
    assert 0 < finished < writes


def test_a_killed_rejection_is_completed_by_the_next_command(home: Home) -> None:
    def reject() -> None:
        home.registry.decide(3, REJECTED, "grace", "too many sequels")

    home.restore()
    for number in range(2, count_writes(home.folder, reject) + 1):  # at the first one nothing is stored
        home.restore()
        kill_at_write(home.folder, number, reject)
        assert home.recover() != []
        entry, last = home.registry.version(3), home.registry.history.records()[-1]
        assert (entry.review, entry.tags["reviewed_by"], entry.aliases) == (REJECTED, "grace", [])
        assert (last.act, last.version) == ("completed", 3)
        assert home.recover() == []


def test_a_killed_rollback_is_recorded_by_the_next_command(home: Home) -> None:
    def roll_back() -> None:
        switch(home.store, 1, "rolled back", "ada", "empty answers", pinned=True)
        home.recover()

    home.restore()
    writes, finished = count_writes(home.folder, roll_back), 0
    for number in range(1, writes + 1):
        home.restore()
        kill_at_write(home.folder, number, roll_back)
        home.recover()
        home.check()
        last = home.registry.history.records()[-1]
        if home.store.live() == 1:
            finished += 1
            assert (last.act, last.version, last.by, last.live_before) == ("rolled back", 1, "ada", 2)
            assert home.registry.version(1).aliases == ["live"]
        else:
            assert (last.act, last.version) == ("registered", 3)
        assert home.recover() == []
    assert 0 < finished < writes
