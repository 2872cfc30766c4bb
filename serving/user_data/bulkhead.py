"""A bulkhead: separate threads for calls that may hang, so that a request loses no more than its budget."""

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
    """Runs as many calls at once as it has threads, and rejects further calls instead of queueing them."""

    def __init__(self, name: str, threads: int) -> None:
        self._name = name
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._free = BoundedSemaphore(threads)

    async def run(self, timeout_s: float, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the result of `call`; after `timeout_s`, the call continues in its thread without a waiter.

        Raises:
            TimeoutError: no result within `timeout_s`.
            Unavailable: every thread is in use, because calls hang or the load is too high.
        """
        future = self._submit(call, *args, **kwargs)
        async with asyncio.timeout(max(0.0, timeout_s)):
            return await asyncio.wrap_future(future)

    def _submit(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        if not self._free.acquire(blocking=False):
            raise Unavailable(f"{self._name}: all threads are in use")
        # With the context of the request, log lines and spans of the thread belong to it.
        future = self._pool.submit(partial(copy_context().run, call, *args, **kwargs))
        future.add_done_callback(lambda _: self._free.release())
        return future

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
