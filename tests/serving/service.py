"""A recommender on a free port, over fakes and temporary files that a test can make slow or broken."""

import json
import math
from collections import Counter
from collections.abc import Collection, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from anyio.from_thread import start_blocking_portal

from feature_repo.atomic_files import write_text_atomically
from feature_repo.histories import History
from feature_repo.interaction import Interaction
from feature_repo.interest_state import InterestState
from feature_repo.pseudonyms import check_value
from feature_repo.searches import Searches
from serving.client import Recommender
from serving.configuration.settings import ServingSettings
from serving.errors import Unavailable
from serving.exposures.exposure_store import FOREVER, ExposureStore
from serving.exposures.exposure_table import Row
from serving.release.release_store import ReleaseStore
from serving.server import Dependencies, run_server
from serving.user_data.erasure_store import ErasureStore
from serving.user_data.interaction_log import InteractionLog
from serving.user_data.preference_store import PreferenceStore
from tests.patience import HANG_S, wait_until
from tests.serving.planted import FakeInterestModel, FakeVersions, write_release


@dataclass
class FakeSnapshot:
    history: History = field(default_factory=History)
    as_of: int = 0
    profile: dict[str, str | float] = field(default_factory=dict)
    interest_state: InterestState | None = None
    seen_before: Sequence[str] = ()
    disliked_before: Sequence[str] = ()
    searches: Searches = field(default_factory=Searches)


class FakeFeatures:
    """Snapshots by user id; a read hangs while `gate` is cleared, and fails while `broken` is set."""

    max_read_s = math.inf

    def __init__(self) -> None:
        self.snapshots: dict[str, FakeSnapshot] = {}
        self.broken, self.gate = False, Event()
        self.gate.set()

    def user(self, user_id: str) -> FakeSnapshot | None:
        self.gate.wait(HANG_S)
        if self.broken:
            raise ConnectionError("the online store was deleted")
        return self.snapshots.get(user_id)

    def read(self, user_id: str, known_version: Hashable) -> tuple[Hashable, FakeSnapshot | None] | None:
        snapshot = self.user(user_id)
        version = repr(snapshot)
        return None if version == known_version else (version, snapshot)


@dataclass
class RunningService:
    """A running service, its client, and its dependencies."""

    address: str
    root: Path
    client: Recommender
    model: FakeInterestModel
    features: FakeFeatures
    log: "FragileLog"
    exposures: "FragileExposures"

    def go_live(self, version: int) -> None:
        write_text_atomically(self.root / "releases" / "live.json", json.dumps({"version": version}))


class FragileLog(InteractionLog):
    """An interaction log; a call hangs while `gate` is cleared, and fails while `broken` is set.

    While `record_gate` is cleared, as with a lock, only recordings hang.
    """

    broken, recordings_wait, max_read_s = False, False, math.inf

    def __init__(self, url: str, key_check: str) -> None:
        super().__init__(url, key_check=key_check)
        self.gate, self.record_gate = Event(), Event()
        self.gate.set()
        self.record_gate.set()

    def since(self, user_id: str, as_of: int) -> list[Interaction]:
        self.wait_or_fail()
        return super().since(user_id, as_of)

    def record(self, interactions: Sequence[Interaction], without_time: Collection[str] = ()) -> int:
        self.wait_for_write()
        return super().record(interactions, without_time)

    def wait_for_write(self) -> None:
        self.wait_or_fail()
        self.recordings_wait = not self.record_gate.is_set()
        self.record_gate.wait(HANG_S)

    def wait_or_fail(self) -> None:
        self.gate.wait(HANG_S)
        if self.broken:
            raise Unavailable("interaction log sqlite:///secret/place can't read: database is locked")


class FragileExposures(ExposureStore):
    """Exposures; a write hangs and fails like a recording of `log`."""

    def __init__(self, log: FragileLog, url: str) -> None:
        super().__init__(url)
        self._log = log

    def append(self, rows: Sequence[Row]) -> None:
        self._log.wait_for_write()
        super().append(rows)

    def shown(self, user_id: str, after: int, without_request: str, until: int = FOREVER) -> Counter[str]:
        self._log.wait_or_fail()
        return super().shown(user_id, after, without_request, until)


# Long timeouts, because the machine may be busy; a test of a timeout sets its own.
_UNLIMITED = dict.fromkeys(("deadline_ms", "history_budget_ms", "interest_budget_ms"), 1000 * HANG_S)
_DEFAULTS = {"port": 0, "release_poll_ms": 20, **_UNLIMITED}


@contextmanager
def running(
    root: Path,
    versions: tuple[int, ...] = (1,),
    live: int | None = 1,
    seen_items: str = "filter",
    drain_s: float = 0,
    token: str = "",
    **settings: Any,
) -> Iterator[RunningService]:
    """Run a service over planted releases below `root`, with these settings; `token` has the scope admin."""
    for version in versions:
        write_release(root / "releases", version, f" of {version}", seen_items=seen_items)
    model, features = FakeInterestModel(*versions), FakeFeatures()
    tokens = {"admin": [token]} if token else {}
    serving_settings = ServingSettings(home=root, **{"tokens": tokens, **_DEFAULTS, **settings})
    log = FragileLog(serving_settings.interaction_log, check_value(serving_settings.pseudonyms))
    exposures = FragileExposures(log, serving_settings.interaction_log)
    store = ReleaseStore(serving_settings.releases)
    erasures = ErasureStore(serving_settings.interaction_log)
    preferences = PreferenceStore(serving_settings.interaction_log)
    dependencies = Dependencies(
        store, model, FakeVersions(model), log, exposures, erasures, preferences, lambda: features
    )
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(run_server(serving_settings, dependencies, drain_s)) as port,
        Recommender(f"127.0.0.1:{port}", timeout_s=HANG_S, token=token) as client,
    ):
        service = RunningService(f"127.0.0.1:{port}", root, client, model, features, log, exposures)
        if live:
            service.go_live(live)
            wait_until(lambda: client.recommend("nobody").release_version == live)
        try:
            yield service
        finally:
            features.gate.set()
            log.gate.set()
            log.record_gate.set()
