"""A home with three registered versions, of which 1 was live before 2, in MLflow's database and files."""

import shutil
import sqlite3
from contextlib import closing
from functools import cached_property
from pathlib import Path

from components.push_release.promotion import push
from components.push_release.recovery import recover
from components.register_release.model_registry import Registry
from components.register_release.registered_version import CANDIDATE, LIVE, REJECTED
from components.register_release.review_history import Act, Record
from feature_repo.store_addresses import FeatureStoreAddresses
from pipelines.local_run.recovery import recover_home
from pipelines.review.alias_watcher import follow_aliases
from pipelines.review.decisions import approve
from pipelines.settings import Settings
from serving.release.release_store import ReleaseStore
from tests.components.register_release.test_registration import MODEL, Release


class ReviewedHome:
    """`restore` goes back to the state that `prepare` left: version 2 is live, 3 is the candidate."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._database = folder, folder / "mlflow.db"
        uri, self._releases = f"sqlite:///{self._database}", folder / "releases"
        self.settings = Settings(
            home=folder,
            tracking_uri=uri,
            review_history=uri,
            model_name=MODEL,
            releases=str(self._releases),
            model_server="localhost:1",
        )
        self._copy, self.store = folder.with_name("copy"), ReleaseStore(str(self._releases))
        folder.mkdir()
        self.release = Release(folder, uri)

    @cached_property
    def registry(self) -> Registry:
        return Registry(self.settings.tracking_uri, MODEL, self.settings.review_history)

    def prepare(self) -> None:
        self.settings.prepare_home()
        for _ in range(3):
            self.release.register()
        self.approve(1)
        self.approve(2)
        shutil.copytree(self._releases, self._copy / "releases")
        _copy_database(self._database, self._copy / "mlflow.db")

    def restore(self) -> None:
        shutil.rmtree(self._releases)
        shutil.rmtree(self.folder / "runs", ignore_errors=True)
        shutil.copytree(self._copy / "releases", self._releases)
        _copy_database(self._copy / "mlflow.db", self._database)

    def approve(self, version: int) -> None:
        """As `penchant review approve` does, with the record of a run."""
        approve(self.settings, version, "ada", "better")

    def push(self, version: int) -> None:
        """As the last step of a pipeline does, which knows nothing of earlier commands."""
        addresses = FeatureStoreAddresses("features", "registry.db", "online.db")
        uri, releases = self.settings.tracking_uri, self.settings.releases
        push(version, "policy auto", MODEL, uri, releases, "", addresses, uri, "better")

    def reject(self, version: int) -> None:
        self.registry.decide(version, REJECTED, "grace", "too many sequels")

    def recover(self) -> None:
        """As the next command does."""
        recover_home(self.settings, self.registry)

    def set_alias(self, alias: str, version: int) -> None:
        """As MLflow's own page does."""
        self.registry.client.set_registered_model_alias(MODEL, alias, str(version))

    def alias(self, alias: str) -> int | None:
        return self.registry.aliases_and_tags()[0].get(alias)

    def watch(self) -> None:
        """As `penchant review watch` does first: it ends what a killed command began, and follows aliases."""
        self.recover()
        follow_aliases(self.settings, self.registry)

    def decisions(self, version: int) -> list[Record]:
        """Return what the history has of a version since its registration."""
        records = self.registry.history.records()
        return [record for record in records if record.version == version and record.act != Act.REGISTERED]

    def check_live(self, version: int) -> None:
        """Assert that `version` is live in store and registry, and that all that is published opens."""
        for published in self.store.versions():
            self.store.open(published)
        entry = self.registry.version(version)
        assert self.store.live() == version
        assert LIVE in entry.aliases
        assert entry.review == "approved"

    def check_consistent(self) -> None:
        """Assert that store, aliases, tags and history say the same, and that nothing is left to finish."""
        live, published = self.store.live(), self.store.versions()
        switches = [record for record in self.registry.history.records() if record.live_after is not None]
        assert live in published
        assert self.store.directories() == published
        assert self.alias(LIVE) == live == switches[-1].live_after
        assert self.alias(CANDIDATE) != live
        assert all(self.registry.version(number).review != REJECTED for number in published if number != live)
        assert self.registry.history.verify() == []
        assert recover(self.store, self.registry, undo=True) == []


def _copy_database(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as opened, closing(sqlite3.connect(target)) as copy:
        opened.backup(copy)
