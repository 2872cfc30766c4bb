"""A limit on calls that have sent their headers and not yet their message."""

import asyncio
from collections import Counter
from typing import Any, TypeAlias

import grpc.aio

from serving.errors import InvalidRequest, TooManyRequests

Call: TypeAlias = "asyncio.Task[Any]"


class MessageWaits:
    """Reads the message of a call; ends calls that wait too long, and the oldest ones when too many wait.

    A waiting call takes no slot of any other limit. Create it in the event loop that serves, and call it in
    that loop only.
    """

    def __init__(self, max_waiting: int, timeout_s: float) -> None:
        self._max_waiting, self._timeout_s = max_waiting, timeout_s
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[Call, tuple[str, float]] = {}  # call -> connection, began at; oldest first
        self._ended: dict[Call, TooManyRequests] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def read(self, context: "grpc.aio.ServicerContext[Any, Any]", peer: str) -> bytes:
        """Return the first message of a call of the connection `peer`.

        Raises:
            TooManyRequests: it did not come in time, or too many calls wait for theirs.
            InvalidRequest: the client ended the call without a message.
        """
        call: Any = asyncio.current_task()
        self._waiting[call] = (peer, self._loop.time())
        if self._timer is None or len(self._waiting) > self._max_waiting:
            self._limit()
        try:
            message: Any = await context.read()
        except asyncio.CancelledError:
            if (error := self._ended.pop(call, None)) is None:
                raise  # the client cancelled the call, or its deadline passed
            call.uncancel()
            raise error from None
        finally:
            self._waiting.pop(call, None)
        if message is grpc.aio.EOF:
            raise InvalidRequest("expected one message after the headers of the call, got none")
        body: bytes = message
        return body

    def _limit(self) -> None:
        """End a call if too many wait, and see to it that waits end in time."""
        if len(self._waiting) > self._max_waiting:
            message = (
                f"expected at most {self._max_waiting} calls that wait for their message, got more; "
                "send the message with the headers, and retry in a second"
            )
            self._end(self._oldest_of_the_busiest(), message, "message_waits")
        if self._timer is None:
            self._timer = self._loop.call_later(self._timeout_s, self._end_overdue)

    def _oldest_of_the_busiest(self) -> Call:
        """Return the oldest call of the connection with most waiting calls."""
        ((busiest, _),) = Counter(peer for peer, _ in self._waiting.values()).most_common(1)
        return next(call for call, (peer, _) in self._waiting.items() if peer == busiest)

    def _end_overdue(self) -> None:
        """End the calls that have waited too long, and look again when the next one may have."""
        now, self._timer = self._loop.time(), None
        for call, (_, began) in list(self._waiting.items()):
            if (remaining_s := began + self._timeout_s - now) > 0:
                self._timer = self._loop.call_later(remaining_s, self._end_overdue)
                return
            message = f"expected the message of the call within {self._timeout_s:g} s, got none; retry"
            self._end(call, message, "message_timeout")

    def _end(self, call: Call, message: str, limit: str) -> None:
        self._ended[call] = TooManyRequests(message, limit)
        del self._waiting[call]
        call.cancel()
