"""The wait of a call for its message: how long, how many, and which call gives way."""

import asyncio
from typing import Any

import grpc
import pytest

from serving.api.message_waits import MessageWaits
from serving.errors import InvalidRequest, TooManyRequests
from tests.serving.stepped_event_loop import SteppedEventLoop, run_stepped


class SilentClient:
    """A context whose message never comes."""

    async def read(self) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError


class Client:
    """A context whose message is there."""

    def __init__(self, message: Any) -> None:
        self._message = message

    async def read(self) -> Any:
        return self._message


def waiting(waits: MessageWaits, peer: str) -> "asyncio.Task[bytes]":
    return asyncio.ensure_future(waits.read(SilentClient(), peer))  # type: ignore[arg-type]


def test_a_message_is_returned() -> None:
    async def scenario() -> None:
        waits = MessageWaits(max_waiting=1, timeout_s=1)
        for _ in range(3):
            assert await waits.read(Client(b"message"), "a:1") == b"message"  # type: ignore[arg-type]

    asyncio.run(scenario())


def test_a_call_without_a_message_is_invalid() -> None:
    async def scenario() -> None:
        with pytest.raises(InvalidRequest, match="expected one message after the headers"):
            await MessageWaits(1, 1).read(Client(grpc.aio.EOF), "a:1")  # type: ignore[arg-type]

    asyncio.run(scenario())


def test_above_the_limit_the_oldest_call_of_the_connection_with_most_gives_way() -> None:
    async def scenario() -> None:
        waits = MessageWaits(max_waiting=3, timeout_s=1000)
        ordinary = waiting(waits, "a:1")
        stalled = [waiting(waits, "b:1") for _ in range(3)]
        await asyncio.wait(stalled, return_when=asyncio.FIRST_COMPLETED)
        assert [task.done() for task in (ordinary, *stalled)] == [False, True, False, False]
        error = stalled[0].exception()
        assert isinstance(error, TooManyRequests)
        assert error.limit == "message_waits"
        assert "at most 3 calls that wait for their message" in str(error)

    asyncio.run(scenario())


def test_a_call_whose_message_does_not_come_in_time_ends() -> None:
    async def scenario(loop: SteppedEventLoop) -> None:
        waits = MessageWaits(max_waiting=10, timeout_s=8)
        first = waiting(waits, "a:1")
        await loop.pass_time(0)
        await loop.pass_time(5)
        second = waiting(waits, "a:1")
        await loop.pass_time(0)
        await loop.pass_time(2.5)
        assert not first.done()
        await loop.pass_time(1)
        error = first.exception()
        assert isinstance(error, TooManyRequests)
        assert error.limit == "message_timeout"
        assert "within 8 s, got none" in str(error)
        await loop.pass_time(4)
        assert not second.done()
        await loop.pass_time(1)
        assert isinstance(second.exception(), TooManyRequests)

    run_stepped(scenario)


def test_a_cancelled_call_leaves_room() -> None:
    async def scenario() -> None:
        waits = MessageWaits(max_waiting=1, timeout_s=1000)
        cancelled = waiting(waits, "a:1")
        await asyncio.sleep(0)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        following = waiting(waits, "a:1")
        await asyncio.sleep(0)
        assert not following.done()
        following.cancel()

    asyncio.run(scenario())
