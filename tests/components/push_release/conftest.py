"""A registry with a candidate, a release store, and a fake model server that passes the smoke test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.push_release.promotion import push
from components.register_release.model_registry import Registry
from feature_repo.store_addresses import FeatureStoreAddresses
from pipelines.settings import Settings
from serving.release.release_store import ReleaseStore
from tests.components.register_release.test_registration import MODEL, Release
from tests.fake_model_server import FakeModelServer, fake_model_server, interests

MATERIALIZE = "components.push_release.promotion.materialize_interests"


class Promotion:
    """A registry with one candidate, an empty release store, and a fake model server."""

    def __init__(self, folder: Path, tracking_uri: str, server: FakeModelServer) -> None:
        self.tracking_uri, self.releases, self.server = tracking_uri, str(folder / "releases"), server
        self.registered = Release(folder, tracking_uri)
        self.registry, self.store = Registry(tracking_uri, MODEL, tracking_uri), ReleaseStore(self.releases)
        self.version = self.register()

    def register(self) -> int:
        """Register the next version."""
        version = self.registered.register()
        self.server.version = version
        return version

    def push(self, version: int, by_person: bool = False, last_seen: int = -1) -> None:
        push(
            version,
            "ada",
            MODEL,
            self.tracking_uri,
            self.releases,
            self.server.address,
            FeatureStoreAddresses("features", "registry.db", "online.db"),
            self.tracking_uri,
            "better",
            by_person,
            last_seen=last_seen,
        )


@pytest.fixture
def promotion(tmp_path: Path, tracking_uri: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Promotion]:
    """The smoke test passes, unless the test changes the server's answer."""
    monkeypatch.setattr(MATERIALIZE, lambda *arguments: None)
    with fake_model_server(interests(3)) as server:
        yield Promotion(tmp_path, tracking_uri, server)


def settings_of(promotion: Promotion, home: Path) -> Settings:
    return Settings(
        home=home,
        tracking_uri=promotion.tracking_uri,
        model_name=MODEL,
        releases=promotion.releases,
        model_server=promotion.server.address,
    )
