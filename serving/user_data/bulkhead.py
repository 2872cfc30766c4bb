"""Threads of its own for a part that may hang, so that it costs a request its budget and no more."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from threading import BoundedSemaphore
from typing import ParamSpec, TypeVar

from serving.errors import Unavailable

T = TypeVar("T")
P = ParamSpec("P")


class Bulkhead:
    """As many calls at once as it has threads; one more is refused at once instead of queueing."""

    def __init__(self, name: str, threads: int) -> None:
        self._name = name
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._free = BoundedSemaphore(threads)

    async def run(self, within_s: float, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `call` returns; where it takes longer, it goes on alone.

        Raises:
            TimeoutError: it did not return within `within_s`.
            Unavailable: every thread is taken, so the part behind hangs or is overrun.
        """
        running = self._start(call, *args, **kwargs)
        async with asyncio.timeout(max(0.0, within_s)):
            return await asyncio.wrap_future(running)

    def _start(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        if not self._free.acquire(blocking=False):
            raise Unavailable(f"{self._name}: all threads are waiting for an answer")
        # The thread logs and traces for the request that started it.
        future = self._pool.submit(partial(copy_context().run, call, *args, **kwargs))
        future.add_done_callback(lambda _: self._free.release())
        return future

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
