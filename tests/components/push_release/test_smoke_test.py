"""The smoke test against a fake TensorFlow Serving."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from components.errors import StepError
from components.push_release import smoke_test as module
from feature_repo.attributes import Attributes
from feature_repo.histories import History
from serving.release.release_store import ReleaseStore
from tests.components.evaluate_release.ring_world import N_ITEMS, build_world, publish
from tests.fake_model_server import (
    FakeModelServer,
    Refused,
    fake_model_server,
    interests,
)

VERSION = 3
BLEND = {"features": ["interest"], "weights": [1.0], "means": [0.0], "scales": [1.0]}


def smoke_test(store: ReleaseStore, version: int, model_server: str) -> None:
    with module.smoke_test(store, version, model_server):
        pass


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ReleaseStore:
    root = tmp_path_factory.mktemp("smoke_test")
    return ReleaseStore(publish(build_world(root / "world", step=1), BLEND, root / "releases"))


@pytest.fixture
def server() -> Iterator[FakeModelServer]:
    with fake_model_server(interests(N_ITEMS)) as server:
        server.version = VERSION
        yield server


def test_right_answers_pass(store: ReleaseStore, server: FakeModelServer) -> None:
    smoke_test(store, VERSION, server.address)
    assert server.calls == 1


def test_another_interest_size_fails(store: ReleaseStore, server: FakeModelServer) -> None:
    server.answer = interests(N_ITEMS + 1)
    with pytest.raises(
        StepError, match=rf"expected \(4, {N_ITEMS}\) finite numbers, got \(4, {N_ITEMS + 1}\)"
    ):
        smoke_test(store, VERSION, server.address)


def test_nan_fails(store: ReleaseStore, server: FakeModelServer) -> None:
    server.answer = lambda rows: np.full((rows, N_ITEMS), np.nan, np.float32)
    with pytest.raises(StepError, match=f"{4 * N_ITEMS} of them not finite"):
        smoke_test(store, VERSION, server.address)


def test_an_interest_that_ignores_the_history_fails(store: ReleaseStore, server: FakeModelServer) -> None:
    server.answer = lambda rows: np.ones((rows, N_ITEMS), np.float32)
    with pytest.raises(StepError, match="does not depend on the history"):
        smoke_test(store, VERSION, server.address)


def test_an_error_status_fails_with_its_message(store: ReleaseStore, server: FakeModelServer) -> None:
    def refuse(rows: int) -> np.ndarray:
        raise Refused("out of memory")

    server.answer = refuse
    with pytest.raises(StepError, match=f"version {VERSION} fails the smoke test: .*INTERNAL: out of memory"):
        smoke_test(store, VERSION, server.address)


def test_a_hanging_server_fails_after_the_timeout(
    store: ReleaseStore, server: FakeModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(rows: int) -> np.ndarray:
        server.hangs.wait()
        raise Refused("the test is over")

    server.answer = hang
    monkeypatch.setattr(module, "ANSWER_TIMEOUT_S", 0.5)
    with pytest.raises(StepError, match="DEADLINE_EXCEEDED"):
        smoke_test(store, VERSION, server.address)


def test_a_version_that_does_not_become_available_fails(
    store: ReleaseStore, server: FakeModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.version = VERSION - 1
    monkeypatch.setattr(module, "LOAD_TIMEOUT_S", 0.0)
    with pytest.raises(StepError, match=f"version {VERSION} is not AVAILABLE at {server.address}"):
        smoke_test(store, VERSION, server.address)


def test_the_embedded_model_server_answers_for_a_real_release(tmp_path: Path) -> None:
    """The ring's SavedModel maps an empty and an unknown history to zeros, and others to the next item."""
    releases = publish(build_world(tmp_path / "world", step=1), BLEND, tmp_path / "releases")
    viewed = History(["first"], ["i0"], ["view"], [float("nan")], [1_000_000])
    with module.smoke_test(ReleaseStore(releases), VERSION, model_server="") as compute:
        of_nothing, of_item_0 = compute([History(), viewed], [Attributes(), Attributes()]).interest
    assert not of_nothing.any()
    assert of_item_0.argmax() == 1
