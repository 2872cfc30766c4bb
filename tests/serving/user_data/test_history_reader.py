"""The history of a user: joined, cached, and degraded when a store hangs or fails."""

import asyncio
import math
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event, current_thread

import pytest

from feature_repo.contract import MAX_HISTORY, MAX_SEEN_BEFORE
from feature_repo.histories import History
from feature_repo.interaction import Interaction
from feature_repo.interest_state import InterestState
from feature_repo.searches import Searches
from serving.errors import Unavailable
from serving.user_data import history_reader
from serving.user_data.history_reader import Features, HistoryReader
from serving.user_history import UserHistory
from tests.patience import HANG_S

AS_OF = 1_000_000_000_000


@dataclass
class FakeSnapshot:
    history: History
    as_of: int = AS_OF
    profile: dict[str, str | float] = field(default_factory=lambda: {"age": 30.0})
    interest_state: InterestState | None = None
    seen_before: Sequence[str] = ()
    disliked_before: Sequence[str] = ()
    searches: Searches = field(default_factory=Searches)


class FakeFeatures:
    """Snapshots by user id; a read hangs while `gate` is cleared, and fails while `broken` is set."""

    max_read_s = math.inf

    def __init__(self, **snapshots: FakeSnapshot) -> None:
        self.snapshots, self.gate, self.broken = snapshots, Event(), False
        self.gate.set()

    def user(self, user_id: str) -> FakeSnapshot | None:
        self.gate.wait(HANG_S)
        if self.broken:
            raise ConnectionError("feature store down")
        return self.snapshots.get(user_id)

    def read(self, user_id: str, known_version: Hashable) -> tuple[Hashable, FakeSnapshot | None] | None:
        snapshot = self.user(user_id)
        version = repr(snapshot)
        return None if version == known_version else (version, snapshot)


class FakeLog:
    """Interactions in order, with the snapshot that they follow; `gate` and `broken` as in FakeFeatures."""

    max_read_s = math.inf

    def __init__(self, *recorded: tuple[int, Interaction]) -> None:
        self.recorded, self.gate, self.broken = recorded, Event(), False
        self.busy_reads: list[str] = []  # the threads
        self.gate.set()

    def since(self, user_id: str, as_of: int) -> list[Interaction]:
        return self._new(user_id, as_of)[: MAX_HISTORY + 1]

    def since_ids(self, user_id: str, as_of: int) -> str:
        return "\n".join(each.interaction_id for each in self.since(user_id, as_of))

    def newest(self, user_id: str, as_of: int) -> list[Interaction]:
        self.busy_reads.append(current_thread().name)
        newest = sorted(self._new(user_id, 0), key=lambda each: each.timestamp)[-MAX_HISTORY:]
        return [each for each in newest if each in self._new(user_id, as_of)]

    def new_items(self, user_id: str, as_of: int) -> list[str]:
        new = self._new(user_id, as_of)[: MAX_HISTORY + MAX_SEEN_BEFORE + 1]
        return [each.item_id for each in new]

    def _new(self, user_id: str, as_of: int) -> list[Interaction]:
        """Last recorded ones first."""
        self.gate.wait(HANG_S)
        if self.broken:
            raise Unavailable("locked")
        return [each for at, each in self.recorded if each.user_id == user_id and at > as_of][::-1]


def view(item: str, timestamp: int) -> Interaction:
    return Interaction(f"id-{item}", "u", item, "view", timestamp)


FEATURES = FakeFeatures(u=FakeSnapshot(History().extend([view("a", 1), view("b", 2)])))
LOG = FakeLog((AS_OF + 1, view("b", 2)), (AS_OF + 5, view("c", 3)), (9, view("a", 1)))


@dataclass
class SyncReader:
    """A HistoryReader with blocking calls."""

    reader: HistoryReader

    def read(self, user_id: str, budget_s: float) -> UserHistory:
        return asyncio.run(self.reader.read(user_id, budget_s))

    def warm(self) -> None:
        self.reader.warm()


@pytest.fixture
def reading() -> Iterator["Reading"]:
    readers = []

    def open_reader(features: Callable[[], Features], log: FakeLog, max_in_flight: int = 4) -> SyncReader:
        readers.append(HistoryReader(features, log, max_in_flight))
        return SyncReader(readers[-1])

    yield open_reader
    for reader in readers:
        reader.close()


@pytest.fixture
def closed_gate() -> Iterator[Event]:
    """A gate that holds every read until the test ends."""
    gate = Event()
    yield gate
    gate.set()


Reading = Callable[..., SyncReader]


def test_snapshot_and_delta_are_joined_without_duplicates(reading: Reading) -> None:
    user = reading(lambda: FEATURES, LOG).read("u", HANG_S)
    assert user.history.item_ids == ["a", "b", "c"]
    assert (user.as_of, user.profile, user.degraded) == (AS_OF, {"age": 30.0}, ())


def test_a_user_without_a_snapshot_has_the_history_of_the_log(reading: Reading) -> None:
    user = reading(FakeFeatures, LOG).read("u", HANG_S)
    assert user.history.item_ids == ["a", "b", "c"]
    assert user.degraded == ()


def test_an_unknown_user_has_an_empty_history_without_degradation(reading: Reading) -> None:
    user = reading(lambda: FEATURES, LOG).read("nobody", HANG_S)
    assert (len(user.history), user.degraded) == (0, ())


def test_the_log_alone_is_used_until_the_feature_store_is_back(reading: Reading) -> None:
    features = FakeFeatures(**FEATURES.snapshots)
    features.broken = True
    reader = reading(lambda: features, LOG)
    user = reader.read("u", HANG_S)
    assert user.history.item_ids == ["a", "b", "c"]
    assert [(each.stage, each.fallback) for each in user.degraded] == [("history", "interaction_log")]
    assert "down" not in user.degraded[0].reason  # clients do not see the cause
    features.broken = False
    assert reader.read("u", HANG_S).degraded == ()


# A share that leaves the snapshot 2 ms of HANG_S and the log the rest.
TINY_SHARE = 1e-6


def test_the_log_alone_is_used_after_the_snapshot_share_if_the_feature_store_hangs(
    reading: Reading, closed_gate: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_reader, "_SNAPSHOT_SHARE", TINY_SHARE)
    features = FakeFeatures()
    features.gate = closed_gate
    user = reading(lambda: features, LOG).read("u", HANG_S)
    assert user.history.item_ids == ["a", "b", "c"]
    assert [each.reason for each in user.degraded] == ["the feature store did not answer in time"]


def test_a_store_that_hangs_occupies_only_its_own_threads(
    reading: Reading, closed_gate: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_reader, "_SNAPSHOT_SHARE", TINY_SHARE)
    features = FakeFeatures()
    features.gate = closed_gate
    reader = reading(lambda: features, LOG, max_in_flight=2)
    for _ in range(5):
        assert reader.read("u", HANG_S).history.item_ids == ["a", "b", "c"]


def test_the_snapshot_alone_is_used_without_the_log(reading: Reading) -> None:
    log = FakeLog()
    log.broken = True
    user = reading(lambda: FEATURES, log).read("u", HANG_S)
    assert user.history.item_ids == ["a", "b"]
    assert [(each.stage, each.fallback) for each in user.degraded] == [("history", "snapshot")]


def test_the_snapshot_alone_is_used_if_the_log_hangs(
    reading: Reading, closed_gate: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_reader, "_SNAPSHOT_SHARE", HANG_S)  # the log alone runs out of time
    log = FakeLog()
    log.gate = closed_gate
    user = reading(lambda: FEATURES, log).read("u", 0.1)
    assert user.history.item_ids == ["a", "b"]
    assert [each.reason for each in user.degraded] == ["the interaction log did not answer in time"]


def test_the_history_is_empty_without_both_and_both_are_reported(reading: Reading) -> None:
    log = FakeLog()
    log.broken = True

    def closed() -> Features:
        raise FileNotFoundError("no registry")

    user = reading(closed, log).read("u", HANG_S)
    assert len(user.history) == 0
    assert [each.fallback for each in user.degraded] == ["request_history", "request_history"]


def test_opening_the_feature_store_is_retried(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_reader, "_REOPEN_S", 0.0)
    tries = []

    def opening() -> Features:
        tries.append(1)
        if len(tries) < 3:
            raise FileNotFoundError("no registry yet")
        return FEATURES

    reader = reading(opening, LOG)
    assert [len(reader.read("u", HANG_S).degraded) for _ in range(4)] == [1, 1, 0, 0]
    assert len(tries) == 3


def test_warm_reads_from_both_stores(reading: Reading) -> None:
    reads: list[str] = []

    class Opening(FakeFeatures):
        def user(self, user_id: str) -> FakeSnapshot | None:
            reads.append("features")
            return super().user(user_id)

    class OpeningLog(FakeLog):
        def since(self, user_id: str, as_of: int) -> list[Interaction]:
            reads.append("log")
            return super().since(user_id, as_of)

    features, log = Opening(), OpeningLog()
    reader = reading(lambda: features, log)
    reader.warm()
    assert reads == ["features", "log"]
    features.broken = log.broken = True
    reader.warm()  # no error: the next request tries again
    assert reads == ["features", "log"] * 2


class FeaturesWithTimeout(FakeFeatures):
    """Has a short timeout; keeps the thread of the last read, which moves `clock` by `delay_s`."""

    max_read_s = 0.05

    def __init__(self, clock: list[float]) -> None:
        super().__init__(**FEATURES.snapshots)
        self.clock, self.delay_s, self.reader = clock, 0.0, ""

    def user(self, user_id: str) -> FakeSnapshot | None:
        self.reader = current_thread().name
        self.clock[0] += self.delay_s
        return super().user(user_id)


class LogWithTimeout(FakeLog):
    max_read_s = 0.05
    reader = ""

    def since(self, user_id: str, as_of: int) -> list[Interaction]:
        self.reader = current_thread().name
        return super().since(user_id, as_of)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The reader's clock in seconds, which only the test moves."""
    now = [time.monotonic()]
    monkeypatch.setattr(history_reader, "monotonic", lambda: now[0])
    return now


def test_stores_with_short_timeouts_are_read_in_the_event_loop(reading: Reading, clock: list[float]) -> None:
    features, log = FeaturesWithTimeout(clock), LogWithTimeout(*LOG.recorded)
    reader = reading(lambda: features, log)
    reader.warm()
    assert reader.read("u", HANG_S).history.item_ids == ["a", "b", "c"]
    assert {features.reader, log.reader} == {current_thread().name}
    features.max_read_s = 2 * HANG_S  # longer than the budget
    within_threads = reader.read("u", HANG_S)
    assert within_threads.history.item_ids == ["a", "b", "c"]
    assert features.reader.startswith("snapshot")
    assert log.reader.startswith("log")


def test_stores_are_read_in_threads_for_a_while_after_a_slow_read(
    reading: Reading, clock: list[float]
) -> None:
    features, log, here = FeaturesWithTimeout(clock), LogWithTimeout(*LOG.recorded), current_thread().name
    reader = reading(lambda: features, log)
    reader.warm()
    features.delay_s = 0.02
    reader.read("u", HANG_S)
    assert features.reader == here
    features.delay_s = 0.0
    assert reader.read("u", HANG_S).history.item_ids == ["a", "b", "c"]
    assert features.reader.startswith("snapshot")
    clock[0] += 2
    reader.read("u", HANG_S)
    assert {features.reader, log.reader} == {here}


def test_interactions_that_leave_the_history_are_kept_apart(reading: Reading) -> None:
    whole = History().extend([view(f"old-{at}", 10 + at) for at in range(MAX_HISTORY)])
    features = FakeFeatures(u=FakeSnapshot(whole, seen_before=["ancient"]))
    log = FakeLog(
        (AS_OF + 1, view("late", 1)), (AS_OF + 2, view("new", 999)), (AS_OF + 3, view("newer", 1000))
    )
    user = reading(lambda: features, log).read("u", HANG_S)
    assert user.history.item_ids[-2:] == ["new", "newer"]
    ever = {"ancient", "late", "new", "newer", *whole.item_ids}
    assert user.whole is not None
    assert {*user.whole.item_ids, *user.seen_before} == ever
    assert user.whole.item_ids == ["late", "old-0", "old-1", *user.history.item_ids]


def test_nothing_leaves_a_short_history(reading: Reading) -> None:
    assert reading(lambda: FEATURES, LOG).read("u", HANG_S).whole is None


def test_searches_are_joined_with_those_of_the_snapshot_and_are_no_part_of_the_history(
    reading: Reading,
) -> None:
    snapshot = FakeSnapshot(History().extend([view("a", 1)]), searches=Searches(["old", "both"], [5, 9]))
    searches = [Interaction(f"id-{q}", "u", "", "search", at, query=q) for q, at in (("both", 9), ("new", 7))]
    log = FakeLog(*((AS_OF + 1, search) for search in searches))
    user = reading(lambda: FakeFeatures(u=snapshot), log).read("u", HANG_S)
    assert user.searches == Searches(["old", "new", "both"], [5, 7, 9])
    assert (user.history.item_ids, user.new) == (["a"], [])


def test_a_history_is_cached_until_snapshot_or_delta_change(reading: Reading) -> None:
    features = FakeFeatures(u=FakeSnapshot(History().extend([view("a", 1), view("b", 2)])))
    log = FakeLog((AS_OF + 5, view("c", 3)))
    reader = reading(lambda: features, log)
    before = reader.read("u", HANG_S)
    assert reader.read("u", HANG_S) is before
    features.snapshots["v"] = FakeSnapshot(History())
    reader.read("v", HANG_S)
    assert reader.read("u", HANG_S) is before
    log.recorded = (*log.recorded, (AS_OF + 6, view("d", 4)))
    newer = reader.read("u", HANG_S)
    assert newer.history.item_ids == ["a", "b", "c", "d"]
    features.snapshots["u"] = FakeSnapshot(History().extend([view("x", 1)]))
    assert reader.read("u", HANG_S).history.item_ids == ["x", "c", "d"]


def test_a_degraded_history_is_not_cached(reading: Reading) -> None:
    log = FakeLog((AS_OF + 5, view("c", 3)))
    features = FakeFeatures(u=FakeSnapshot(History().extend([view("a", 1)])))
    reader = reading(lambda: features, log)
    log.broken = True
    assert reader.read("u", HANG_S).degraded
    log.broken = False
    whole = reader.read("u", HANG_S)
    assert not whole.degraded
    assert whole.history.item_ids == ["a", "c"]


def test_equal_versions_mean_equal_parts(reading: Reading) -> None:
    features = FakeFeatures(u=FakeSnapshot(History().extend([view("a", 1)])))
    log = FakeLog((AS_OF + 5, view("c", 3)), (AS_OF + 6, view("d", 4)))
    version = reading(lambda: features, log).read("u", HANG_S).version
    log.recorded = log.recorded[::-1]
    assert reading(lambda: features, log).read("u", HANG_S).version == version
    log.recorded = log.recorded[1:]
    assert reading(lambda: features, log).read("u", HANG_S).version != version
    features.broken = True
    without_snapshot = reading(lambda: features, log).read("u", HANG_S)
    assert without_snapshot.version not in (None, version)


def busy_log(count: int, first: int = 10) -> FakeLog:
    """A log in which user u has recorded `count` views since the snapshot, whose times fall."""
    return FakeLog(*((AS_OF + 1 + n, view(f"i{n}", first + count - n)) for n in range(count)))


def test_the_history_of_a_busy_user_has_the_newest_interactions_by_their_own_time(reading: Reading) -> None:
    log = busy_log(MAX_HISTORY + 100)  # the last recorded ones are the oldest
    reader = reading(lambda: FEATURES, log)
    user = reader.read("u", HANG_S)
    assert user.history.item_ids == [f"i{n}" for n in reversed(range(MAX_HISTORY))]
    assert user.whole is not None
    assert {*user.whole.item_ids, *user.seen_before} == {
        *("a", "b"),
        *(f"i{n}" for n in range(MAX_HISTORY + 100)),
    }
    assert (user.degraded, user.is_busy) == ((), True)
    assert reader.reader.is_busy("u")


def test_the_rest_of_a_busy_user_is_read_in_a_thread_and_only_when_it_has_changed(
    reading: Reading, clock: list[float]
) -> None:
    class BusyLog(LogWithTimeout):
        recorded = busy_log(MAX_HISTORY + 1).recorded

    log = BusyLog(*BusyLog.recorded)
    reader = reading(lambda: FeaturesWithTimeout(clock), log)
    reader.warm()
    before = reader.read("u", HANG_S)
    assert reader.read("u", HANG_S) is before
    assert [name[:3] for name in log.busy_reads] == ["log"]
    log.recorded = (*log.recorded, (AS_OF + 9_999, view("newest", 9_999)))
    assert reader.read("u", HANG_S).history.item_ids[-1] == "newest"
    assert len(log.busy_reads) == 2


def test_an_answer_names_what_it_lacks_of_a_busy_user(reading: Reading) -> None:
    limit = MAX_HISTORY + MAX_SEEN_BEFORE
    assert reading(lambda: FEATURES, busy_log(limit)).read("u", HANG_S).degraded == ()
    reader = reading(lambda: FEATURES, busy_log(limit + 1))
    cut = reader.read("u", HANG_S)
    assert [each.fallback for each in cut.degraded] == ["newest_interactions"]
    assert f"more than {limit} new interactions" in cut.degraded[0].reason
    assert len(cut.history) == MAX_HISTORY
    assert reader.read("u", HANG_S) is cut


def test_a_busy_user_has_the_last_recorded_interactions_if_the_others_cannot_be_read(
    reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = busy_log(MAX_HISTORY + 50)

    def down(*_: object) -> list[Interaction]:
        raise Unavailable("locked")

    reader = reading(lambda: FEATURES, log)
    with monkeypatch.context() as patch:
        patch.setattr(log, "newest", down)
        user = reader.read("u", HANG_S)
        assert [each.fallback for each in user.degraded] == ["newest_interactions"]
        assert len(user.history) == MAX_HISTORY
        assert user.whole is not None
        assert user.whole.item_ids == ["a", "b", "i249", *user.history.item_ids]
    assert reader.read("u", HANG_S).degraded == ()
