"""Batching of concurrent calls: padding, errors, large calls and the size of a batch."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from serving.model_server.batching import Batcher
from tests.patience import HANG_S

Arrays = list[NDArray[Any]]
Send = Callable[..., list[Future[Arrays]]]


class BlockedFirstRun:
    """Returns the sum of each row; the first run blocks until `go`, so that later calls queue."""

    def __init__(self) -> None:
        self.runs: list[Arrays] = []
        self.started = threading.Event()
        self.go = threading.Event()

    def __call__(self, arrays: Arrays) -> Arrays:
        self.runs.append(arrays)
        if len(self.runs) == 1:
            self.started.set()
            assert self.go.wait(HANG_S)
        if (arrays[1] < 0).any():
            raise ValueError("negative")
        return [arrays[1].sum(axis=1, keepdims=True)]


@pytest.fixture
def run() -> BlockedFirstRun:
    return BlockedFirstRun()


@pytest.fixture
def send_while_busy(run: BlockedFirstRun) -> Iterator[Send]:
    """Send calls while a first call runs, which ends once all others are queued."""
    batcher = Batcher(run, [True, True], runners=1)
    with ThreadPoolExecutor(16) as threads:

        def send(*calls: Arrays) -> list[Future[Arrays]]:
            first = threads.submit(batcher, history(1.0))
            assert run.started.wait(HANG_S)
            futures = [threads.submit(batcher, call) for call in calls]
            waiting = sum(len(call[0]) <= 64 for call in calls)
            while len(batcher._waiting) < waiting:
                threading.Event().wait(0.001)
            run.go.set()
            assert first.result(HANG_S)[0].tolist() == [[1.0]]
            return futures

        yield send
        run.go.set()


def history(*values: float, pad: bytes = b"", rows: int = 1) -> Arrays:
    """Return ids and values of one history, starting with padding."""
    ids = np.full((rows, 1 + len(values)), b"i", object)
    ids[:, 0] = pad
    return [ids, np.tile(np.array([0.0, *values], np.float32), (rows, 1))]


def test_an_idle_batcher_runs_a_call_at_once_and_alone(run: BlockedFirstRun) -> None:
    run.go.set()

    assert Batcher(run, [True, True], runners=1)(history(2.0, 3.0))[0].tolist() == [[5.0]]
    assert len(run.runs) == 1


def test_queued_calls_run_together_and_get_their_own_rows(
    run: BlockedFirstRun, send_while_busy: Send
) -> None:
    futures = send_while_busy(history(2.0), history(3.0, rows=2), history(4.0))

    assert [future.result(HANG_S)[0].tolist() for future in futures] == [[[2.0]], [[3.0], [3.0]], [[4.0]]]
    assert [len(arrays[0]) for arrays in run.runs] == [1, 4]


def test_shorter_histories_are_padded_with_their_first_element(
    run: BlockedFirstRun, send_while_busy: Send
) -> None:
    futures = send_while_busy(history(2.0), history(3.0, 4.0, 5.0))

    assert sorted(future.result(HANG_S)[0].item() for future in futures) == [2.0, 12.0]
    ids, values = run.runs[1]
    short = int(np.argmin(values.sum(axis=1)))
    assert ids[short].tolist() == [b"", b"i", b"", b""]
    assert values[short].tolist() == [0.0, 2.0, 0.0, 0.0]


def test_a_history_without_leading_padding_is_not_padded(run: BlockedFirstRun, send_while_busy: Send) -> None:
    futures = send_while_busy(history(2.0, pad=b"i"), history(3.0, 4.0, pad=b"i"))

    assert [future.result(HANG_S)[0].item() for future in futures] == [2.0, 7.0]
    assert sorted(arrays[0].shape for arrays in run.runs[1:]) == [(1, 2), (1, 3)]


def test_a_failing_call_does_not_fail_the_others(run: BlockedFirstRun, send_while_busy: Send) -> None:
    good, bad = send_while_busy(history(2.0), history(-1.0))

    assert good.result(HANG_S)[0].item() == 2.0
    with pytest.raises(ValueError, match="negative"):
        bad.result(HANG_S)


def test_a_large_call_is_not_queued(run: BlockedFirstRun, send_while_busy: Send) -> None:
    (large,) = send_while_busy(history(2.0, rows=65))

    assert len(large.result(HANG_S)[0]) == 65


def test_a_batch_holds_at_most_64_rows(run: BlockedFirstRun, send_while_busy: Send) -> None:
    for future in send_while_busy(*[history(2.0, rows=30)] * 5):
        assert len(future.result(HANG_S)[0]) == 30

    assert [len(arrays[0]) for arrays in run.runs[1:]] == [60, 60, 30]


def test_concurrent_threads_get_their_own_results(run: BlockedFirstRun) -> None:
    run.go.set()
    batcher = Batcher(run, [True, True], runners=2)
    with ThreadPoolExecutor(16) as threads:
        sums = threads.map(lambda n: batcher(history(*[1.0] * (n % 7), float(n)))[0].item(), range(2000))

        assert list(sums) == [n % 7 + n for n in range(2000)]
