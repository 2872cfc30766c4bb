"""Calls of the services beside the recommender's (health, reflection), within limits of their own."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, NoReturn

import grpc.aio

from serving.api.admission import Admission
from serving.api.message_waits import MessageWaits
from serving.api.refusals import Refusals
from serving.api.request_parsing import parsed
from serving.api.stream_limit import StreamLimit
from serving.errors import PenchantError

Behavior = Callable[[Any, "grpc.aio.ServicerContext[Any, Any]"], Awaitable[Any]]


class LibraryCalls:
    """Wraps handlers: single calls take no slot, streams take one of StreamLimit.

    So the health check answers while the recommender refuses calls, and watches keep out no other call.
    """

    def __init__(
        self, admission: Admission, message_waits: MessageWaits, streams: StreamLimit, refusals: Refusals
    ) -> None:
        self._admission, self._waits = admission, message_waits
        self._streams, self._refusals = streams, refusals

    def wrapped(self, handler: Any, method: str, metadata: Mapping[str, str | bytes]) -> Any:
        """Return a handler that admits the call and limits it; for an unknown method, one that refuses it."""
        name = method.split("/", 1)[-1].replace("/", ".") if handler else "unknown"

        async def call(messages: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
            peer = context.peer()
            try:
                self._admission.check(method, metadata, peer)
                if handler is None:
                    await _refuse_unknown(method, context)
                if not handler.response_streaming:
                    return await handler.unary_unary(await self._request(handler, name, context), context)
                with self._streams.slot(peer):
                    await self._stream(handler, name, messages, context)
                    return None
            except PenchantError as error:
                self._refusals.add(name, peer, error)
                await context.abort(grpc.StatusCode[error.status], str(error))

        # Only a handler of a stream of requests is called before the first message has come.
        if handler is None or handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(call, None, handler and handler.response_serializer)
        return grpc.stream_unary_rpc_method_handler(call, None, handler.response_serializer)

    async def _stream(
        self, handler: Any, name: str, messages: Any, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> None:
        if handler.request_streaming:
            requests = _parsed_messages(messages, handler.request_deserializer, name)
            async for response in handler.stream_stream(requests, context):
                await context.write(response)
        else:
            await handler.unary_stream(await self._request(handler, name, context), context)

    async def _request(self, handler: Any, name: str, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
        return parsed(await self._waits.read(context, context.peer()), handler.request_deserializer, name)


async def _parsed_messages(
    messages: AsyncIterator[bytes], parse: Callable[[bytes], Any], name: str
) -> AsyncIterator[Any]:
    async for message in messages:
        yield parsed(message, parse, name)


async def _refuse_unknown(method: str, context: "grpc.aio.ServicerContext[Any, Any]") -> NoReturn:
    await context.abort(
        grpc.StatusCode.UNIMPLEMENTED,
        f"method: expected one of recommender.proto, the health check or reflection, got {method[:100]!r}",
    )
