import asyncio
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event, current_thread

import pytest

from feature_repo.contract import MAX_HISTORY
from feature_repo.histories import History
from feature_repo.interaction import Interaction
from feature_repo.interest_state import InterestState
from serving.errors import Unavailable
from serving.user_data import history_reader
from serving.user_data.history_reader import Features, HistoryReader, UserHistory
from serving.user_data.interaction_log import OVERLAP_US
from tests.patience import HANG_S

AS_OF = 1_000_000_000_000


@dataclass
class FakeSnapshot:
    history: History
    as_of: int = AS_OF
    profile: dict[str, str | float] = field(default_factory=lambda: {"age": 30.0})
    interest_state: InterestState | None = None
    seen_before: Sequence[str] = ()


class FakeFeatures:
    """Snapshots by user; `gate` holds every read back while it is cleared, `broken` fails it."""

    gives_up_after_s = math.inf

    def __init__(self, **snapshots: FakeSnapshot) -> None:
        self.snapshots, self.gate, self.broken = snapshots, Event(), False
        self.gate.set()

    def user(self, user_id: str) -> FakeSnapshot | None:
        self.gate.wait(HANG_S)
        if self.broken:
            raise ConnectionError("feature store down")
        return self.snapshots.get(user_id)


class FakeLog:
    """Interactions by user and when they were recorded."""

    gives_up_after_s = math.inf

    def __init__(self, *recorded: tuple[int, Interaction]) -> None:
        self.recorded, self.gate, self.broken = recorded, Event(), False
        self.gate.set()

    def since(self, user_id: str, recorded_after: int) -> list[Interaction]:
        self.gate.wait(HANG_S)
        if self.broken:
            raise Unavailable("locked")
        return [given for at, given in self.recorded if given.user_id == user_id and at > recorded_after]


def view(item: str, timestamp: int) -> Interaction:
    return Interaction(f"id-{item}", "u", item, "view", timestamp)


FEATURES = FakeFeatures(u=FakeSnapshot(History().extend([view("a", 1), view("b", 2)])))
LOG = FakeLog((AS_OF - OVERLAP_US + 1, view("b", 2)), (AS_OF + 5, view("c", 3)), (9, view("a", 1)))


@dataclass
class Waiting:
    """A reader whose answers are waited for."""

    reader: HistoryReader

    def read(self, user_id: str, budget_s: float) -> UserHistory:
        return asyncio.run(self.reader.read(user_id, budget_s))

    def warm(self) -> None:
        self.reader.warm()


@pytest.fixture
def reading() -> Iterator["Reading"]:
    readers = []

    def open_reader(features: Callable[[], Features], log: FakeLog, threads: int = 4) -> Waiting:
        readers.append(HistoryReader(features, log, threads))
        return Waiting(readers[-1])

    yield open_reader
    for reader in readers:
        reader.close()


@pytest.fixture
def closed_gate() -> Iterator[Event]:
    """A gate that holds every read until the test ends."""
    gate = Event()
    yield gate
    gate.set()


Reading = Callable[..., Waiting]


def test_the_snapshot_is_joined_with_what_the_log_holds_since_without_repeats(reading: Reading) -> None:
    known = reading(lambda: FEATURES, LOG).read("u", HANG_S)
    assert known.history.item_ids == ["a", "b", "c"]
    assert (known.as_of, known.profile, known.degraded) == (AS_OF, {"age": 30.0}, ())


def test_a_user_without_a_snapshot_has_all_that_the_log_holds(reading: Reading) -> None:
    known = reading(FakeFeatures, LOG).read("u", HANG_S)
    assert known.history.item_ids == ["a", "b", "c"]
    assert known.degraded == ()


def test_nobody_knows_an_unknown_user_and_that_is_no_degradation(reading: Reading) -> None:
    known = reading(lambda: FEATURES, LOG).read("nobody", HANG_S)
    assert (len(known.history), known.degraded) == (0, ())


def test_without_the_feature_store_the_log_answers_alone_until_it_is_back(reading: Reading) -> None:
    features = FakeFeatures(**FEATURES.snapshots)
    features.broken = True
    reader = reading(lambda: features, LOG)
    known = reader.read("u", HANG_S)
    assert known.history.item_ids == ["a", "b", "c"]
    assert [(cut.stage, cut.fallback) for cut in known.degraded] == [("history", "interaction_log")]
    assert "down" not in known.degraded[0].reason  # the cause is for the log, not for the client
    features.broken = False
    assert reader.read("u", HANG_S).degraded == ()


# A share that leaves the snapshot 2 ms of HANG_S and the log the rest.
HASTY_SHARE = 1e-6


def test_a_feature_store_that_hangs_costs_its_share_of_the_budget_and_the_log_answers(
    reading: Reading, closed_gate: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_reader, "_SNAPSHOT_SHARE", HASTY_SHARE)
    features = FakeFeatures()
    features.gate = closed_gate
    known = reading(lambda: features, LOG).read("u", HANG_S)
    assert known.history.item_ids == ["a", "b", "c"]
    assert [cut.reason for cut in known.degraded] == ["the feature store did not answer in time"]


def test_a_store_that_hangs_takes_no_more_threads_than_its_own(
    reading: Reading, closed_gate: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_reader, "_SNAPSHOT_SHARE", HASTY_SHARE)
    features = FakeFeatures()
    features.gate = closed_gate
    reader = reading(lambda: features, LOG, threads=2)
    for _ in range(5):
        assert reader.read("u", HANG_S).history.item_ids == ["a", "b", "c"]


def test_without_the_log_the_snapshot_answers_alone(reading: Reading) -> None:
    log = FakeLog()
    log.broken = True
    known = reading(lambda: FEATURES, log).read("u", HANG_S)
    assert known.history.item_ids == ["a", "b"]
    assert [(cut.stage, cut.fallback) for cut in known.degraded] == [("history", "snapshot")]


def test_a_log_that_hangs_leaves_the_snapshot(
    reading: Reading, closed_gate: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_reader, "_SNAPSHOT_SHARE", HANG_S)  # the log alone runs out of time
    log = FakeLog()
    log.gate = closed_gate
    known = reading(lambda: FEATURES, log).read("u", 0.1)
    assert known.history.item_ids == ["a", "b"]
    assert [cut.reason for cut in known.degraded] == ["the interaction log did not answer in time"]


def test_without_both_nothing_is_known_and_both_are_named(reading: Reading) -> None:
    log = FakeLog()
    log.broken = True

    def closed() -> Features:
        raise FileNotFoundError("no registry")

    known = reading(closed, log).read("u", HANG_S)
    assert len(known.history) == 0
    assert [cut.fallback for cut in known.degraded] == ["request_history", "request_history"]


def test_a_feature_store_that_could_not_be_opened_is_tried_again(
    reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_warming_reads_each_part_so_that_the_first_request_finds_them_open(reading: Reading) -> None:
    asked: list[str] = []

    class Opening(FakeFeatures):
        def user(self, user_id: str) -> FakeSnapshot | None:
            asked.append("features")
            return super().user(user_id)

    class OpeningLog(FakeLog):
        def since(self, user_id: str, recorded_after: int) -> list[Interaction]:
            asked.append("log")
            return super().since(user_id, recorded_after)

    features, log = Opening(), OpeningLog()
    reader = reading(lambda: features, log)
    reader.warm()
    assert asked == ["features", "log"]
    features.broken = log.broken = True
    reader.warm()  # a part that is down is a matter of the requests that need it
    assert asked == ["features", "log"] * 2


class Patient(FakeFeatures):
    """Gives up in time by itself; keeps which thread read it last, and takes `delay_s` of `clock`."""

    gives_up_after_s = 0.05

    def __init__(self, clock: list[float]) -> None:
        super().__init__(**FEATURES.snapshots)
        self.clock, self.delay_s, self.reader = clock, 0.0, ""

    def user(self, user_id: str) -> FakeSnapshot | None:
        self.reader = current_thread().name
        self.clock[0] += self.delay_s
        return super().user(user_id)


class PatientLog(FakeLog):
    gives_up_after_s = 0.05
    reader = ""

    def since(self, user_id: str, recorded_after: int) -> list[Interaction]:
        self.reader = current_thread().name
        return super().since(user_id, recorded_after)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The reader's clock in seconds; it stands still unless a test moves it."""
    now = [time.monotonic()]
    monkeypatch.setattr(history_reader, "monotonic", lambda: now[0])
    return now


def test_parts_that_give_up_in_time_are_read_in_the_event_loop(reading: Reading, clock: list[float]) -> None:
    features, log = Patient(clock), PatientLog(*LOG.recorded)
    reader = reading(lambda: features, log)
    reader.warm()
    assert reader.read("u", HANG_S).history.item_ids == ["a", "b", "c"]
    assert {features.reader, log.reader} == {current_thread().name}
    features.gives_up_after_s = 2 * HANG_S  # longer than the budget
    hurried = reader.read("u", HANG_S)
    assert hurried.history.item_ids == ["a", "b", "c"]
    assert features.reader.startswith("snapshot")
    assert log.reader.startswith("log")


def test_a_part_that_was_slow_is_left_to_threads_for_a_while(reading: Reading, clock: list[float]) -> None:
    features, log, here = Patient(clock), PatientLog(*LOG.recorded), current_thread().name
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


def test_what_leaves_the_history_is_seen_all_the_same(reading: Reading) -> None:
    whole = History().extend([view(f"old-{at}", 10 + at) for at in range(MAX_HISTORY)])
    features = FakeFeatures(u=FakeSnapshot(whole, seen_before=["ancient"]))
    log = FakeLog(
        (AS_OF + 1, view("late", 1)), (AS_OF + 2, view("new", 999)), (AS_OF + 3, view("newer", 1000))
    )
    known = reading(lambda: features, log).read("u", HANG_S)
    assert known.history.item_ids[-2:] == ["new", "newer"]
    ever = {"ancient", "late", "new", "newer", *whole.item_ids}
    assert {*known.history.item_ids, *known.seen_before} == ever
    assert len(known.seen_before) < 10


def test_what_was_seen_before_costs_a_short_history_nothing(reading: Reading) -> None:
    assert reading(lambda: FEATURES, LOG).read("u", HANG_S).seen_before == ()


def test_a_history_is_joined_anew_only_when_a_part_has_changed(reading: Reading) -> None:
    features = FakeFeatures(u=FakeSnapshot(History().extend([view("a", 1), view("b", 2)])))
    log = FakeLog((AS_OF + 5, view("c", 3)))
    reader = reading(lambda: features, log)
    before = reader.read("u", HANG_S)
    assert reader.read("u", HANG_S) is before
    log.recorded = (*log.recorded, (AS_OF + 6, view("d", 4)))
    newer = reader.read("u", HANG_S)
    assert newer.history.item_ids == ["a", "b", "c", "d"]
    features.snapshots["u"] = FakeSnapshot(History().extend([view("x", 1)]))
    assert reader.read("u", HANG_S).history.item_ids == ["x", "c", "d"]


def test_a_history_without_its_log_is_not_kept(reading: Reading) -> None:
    log = FakeLog((AS_OF + 5, view("c", 3)))
    features = FakeFeatures(u=FakeSnapshot(History().extend([view("a", 1)])))
    reader = reading(lambda: features, log)
    log.broken = True
    assert reader.read("u", HANG_S).degraded
    log.broken = False
    whole = reader.read("u", HANG_S)
    assert not whole.degraded
    assert whole.history.item_ids == ["a", "c"]
