"""Parses the bytes of a request."""

from collections.abc import Callable
from typing import Any

from google.protobuf.message import DecodeError

from serving.errors import InvalidRequest


def parsed(body: bytes, parse: Callable[[bytes], Any], method: str) -> Any:
    """Return the request message of `method`.

    Raises:
        InvalidRequest: the bytes are not such a message.
    """
    try:
        return parse(body)
    except DecodeError as error:
        raise InvalidRequest(
            f"{method}: expected its request message, got {len(body)} bytes that can't be parsed as one; "
            "use stubs generated from its .proto file"
        ) from error
