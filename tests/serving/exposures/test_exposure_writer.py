"""Exposures are written in batches beside the answers, bounded, and what is lost is counted."""

import time
from collections.abc import Iterator, Sequence
from threading import Event

import pytest

from serving.errors import Unavailable
from serving.exposures import exposure_writer
from serving.exposures.exposure_table import Row
from serving.exposures.exposure_writer import ExposureWriter
from serving.telemetry.metrics import Metrics
from tests.patience import HANG_S, wait_until
from tests.serving.exposures.exposures import exposure, to_row


class FakeStore:
    """Keeps batches; fails while `is_full`, and hangs while `gate` is cleared."""

    def __init__(self, gate: Event) -> None:
        self.batches: list[list[str]] = []
        self.is_full, self.gate, self.deleted_before = False, gate, list[int]()
        self.hangs = Event()

    def append(self, rows: Sequence[Row]) -> None:
        self.hangs.set()
        self.gate.wait(HANG_S)
        if self.is_full:
            raise Unavailable("database or disk is full")
        self.batches.append([row[0] for row in rows])

    def delete_before(self, timestamp: int) -> int:
        self.deleted_before.append(timestamp)
        return 0


@pytest.fixture
def store(gate: Event) -> FakeStore:
    gate.set()
    return FakeStore(gate)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def writer(store: FakeStore, metrics: Metrics) -> Iterator[ExposureWriter]:
    writer = ExposureWriter(store, metrics, retention_days=1)
    yield writer
    store.gate.set()
    writer.close()


def count(metrics: Metrics, outcome: str) -> float:
    return metrics.registry.get_sample_value("penchant_exposures_total", {"outcome": outcome}) or 0.0


def test_what_waits_is_written_as_one_batch(
    writer: ExposureWriter, store: FakeStore, metrics: Metrics
) -> None:
    for number in range(3):
        writer.add(to_row(exposure(f"r{number}")))
    writer.start()
    wait_until(lambda: count(metrics, "stored") == 3)
    assert store.batches == [["r0", "r1", "r2"]]


def test_add_drops_and_counts_what_a_slow_store_does_not_take(
    writer: ExposureWriter, store: FakeStore, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exposure_writer, "MAX_WAITING_BYTES", 5_000)
    store.gate.clear()
    writer.start()
    writer.add(to_row(exposure("first")))
    assert store.hangs.wait(HANG_S)
    for number in range(20):
        writer.add(to_row(exposure(f"r{number}")))
    dropped = count(metrics, "dropped")
    assert 10 <= dropped < 20
    store.gate.set()
    wait_until(lambda: count(metrics, "stored") == 21 - dropped)


def test_a_full_store_drops_and_counts_and_later_ones_are_stored(
    writer: ExposureWriter, store: FakeStore, metrics: Metrics
) -> None:
    store.is_full = True
    writer.start()
    writer.add(to_row(exposure("lost")))
    wait_until(lambda: count(metrics, "dropped") == 1)
    store.is_full = False
    writer.add(to_row(exposure("kept")))
    wait_until(lambda: store.batches == [["kept"]])


def test_flush_ends_when_the_exposures_of_its_requests_are_stored(
    writer: ExposureWriter, store: FakeStore
) -> None:
    assert writer.flush(["r1"]) is None
    store.gate.clear()
    writer.start()
    writer.add(to_row(exposure("r1")))
    assert store.hangs.wait(HANG_S)
    being_written = writer.flush(["r1", "other"])
    writer.add(to_row(exposure("r2")))
    waiting = writer.flush(["r2"])
    assert being_written is not None
    assert waiting is not None
    assert not being_written.done()
    store.gate.set()
    being_written.result(HANG_S)
    waiting.result(HANG_S)
    assert store.batches == [["r1"], ["r2"]]
    assert writer.flush(["r1", "r2"]) is None


def test_close_writes_what_waits(writer: ExposureWriter, store: FakeStore) -> None:
    writer.start()
    writer.add(to_row(exposure("last")))
    writer.close()
    assert store.batches == [["last"]]


def test_old_exposures_are_deleted(
    writer: ExposureWriter, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 3 * 86_400_000_000_000)
    writer.start()
    writer.add(to_row(exposure("r")))
    wait_until(lambda: store.deleted_before == [2 * 86_400_000_000])
