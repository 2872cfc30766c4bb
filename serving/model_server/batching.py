"""Natural batching: calls that arrive while a batch runs form the next one; an idle server adds no delay."""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from feature_repo.contract import PAD

Array = NDArray[Any]
Run = Callable[[list[Array]], list[Array]]

# Rows of a batch; a larger call runs alone and at once, so that it delays no other call.
_MAX_ROWS: Final = 64


class _Call:
    """A call that waits in the queue, with its inputs and outputs."""

    def __init__(self, arrays: list[Array], shapes: tuple[Any, ...]) -> None:
        self.arrays = arrays
        self.shapes = shapes  # calls with equal shapes can share a batch
        self.rows = len(arrays[0])
        self.batch: Future[list[_Call]] = Future()  # the batch to run; empty if another thread ran the call
        self.outputs: list[Array] | BaseException = []


class Batcher:
    """Runs concurrent calls of a signature as one batch.

    Sequence inputs of unequal length are padded with their first element, as TensorFlow Serving does
    (batching/batching_util.cc), but only in calls whose string sequences start with the contract's padding,
    so that no history is changed.

    Args:
        run: runs the signature; inputs and outputs are arrays [rows, ...].
        sequences: for each input, whether it is a sequence [rows, length].
        runners: number of batches that run at once; by default half of the cores, so that the others can
            handle requests.
    """

    def __init__(
        self, run: Run, sequences: Sequence[bool], runners: int = max(1, (os.cpu_count() or 1) // 2)
    ) -> None:
        self._run = run
        self._sequences = sequences
        self._idle = runners
        self._waiting: list[_Call] = []
        self._lock = threading.Lock()

    def __call__(self, arrays: list[Array]) -> list[Array]:
        rows = {len(array) for array in arrays}
        if len(rows) != 1 or rows.pop() > _MAX_ROWS:
            return self._run(arrays)
        call = _Call(arrays, self._shapes(arrays))
        if batch := self._join(call):
            self._run_batch(batch)
            self._start_next()
            for other in batch[1:]:
                other.batch.set_result([])
        if isinstance(call.outputs, BaseException):
            raise call.outputs
        return call.outputs

    def _join(self, call: _Call) -> list[_Call]:
        """Return the batch that this thread must run; empty once another thread has run the call."""
        with self._lock:
            if self._idle:
                self._idle -= 1
                return [call]
            self._waiting.append(call)
        return call.batch.result()

    def _start_next(self) -> None:
        """Make the thread of the oldest waiting call run the next batch."""
        with self._lock:
            if not self._waiting:
                self._idle += 1
                return
            batch: list[_Call] = []
            rest: list[_Call] = []
            rows = 0
            for call in self._waiting:
                fits = call.shapes == self._waiting[0].shapes and rows + call.rows <= _MAX_ROWS
                (batch if fits else rest).append(call)
                rows += call.rows if fits else 0
            self._waiting = rest
        batch[0].batch.set_result(batch)

    def _run_batch(self, batch: list[_Call]) -> None:
        if len(batch) > 1 and self._run_together(batch):
            return
        for call in batch:
            try:
                call.outputs = self._run(call.arrays)
            except Exception as error:
                call.outputs = error

    def _run_together(self, batch: list[_Call]) -> bool:
        """Return False if the batch fails; then each call runs alone, so that one can't fail the others."""
        ends = np.cumsum([call.rows for call in batch])
        try:
            outputs = self._run(
                [_stack(arrays) for arrays in zip(*(call.arrays for call in batch), strict=True)]
            )
        except Exception:
            return False
        if any(len(output) != ends[-1] for output in outputs):
            return False
        for call, end in zip(batch, ends, strict=True):
            call.outputs = [output[end - call.rows : end] for output in outputs]
        return True

    def _shapes(self, arrays: list[Array]) -> tuple[Any, ...]:
        sequences = [array for array, sequence in zip(arrays, self._sequences, strict=True) if sequence]
        ids = [array for array in sequences if array.dtype == object]
        padded = bool(ids) and all(array.size and array.flat[0] == PAD.encode() for array in ids)
        lengths = {array.shape for array in sequences}
        return tuple(
            None if sequence and padded and len(lengths) == 1 else array.shape[1:]
            for array, sequence in zip(arrays, self._sequences, strict=True)
        )


def _stack(arrays: Sequence[Array]) -> Array:
    """Return one array [all rows, longest]; pads each array with its own first element."""
    if len({array.shape[1:] for array in arrays}) == 1:
        return np.concatenate(arrays)
    length = max(array.shape[1] for array in arrays)
    stacked = np.empty((sum(map(len, arrays)), length), arrays[0].dtype)
    start = 0
    for array in arrays:
        rows = stacked[start : start + len(array)]
        rows[:, : array.shape[1]] = array
        rows[:, array.shape[1] :] = array.flat[0]
        start += len(array)
    return stacked
