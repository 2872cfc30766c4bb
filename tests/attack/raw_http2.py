"""A client that writes HTTP/2 frames by hand (RFC 9113), to do what a gRPC library does not allow."""

import socket
import struct
from collections.abc import Mapping
from contextlib import suppress
from threading import Lock, Thread
from typing import Final, Self

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY = 0x0, 0x1, 0x3, 0x4, 0x6, 0x7
_ACK, _END_STREAM, _END_HEADERS = 0x1, 0x1, 0x4


class RawConnection:
    """A connection whose streams stay open until the server ends them; `paths` holds those that are open."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)))
        self._lock, self._next = Lock(), 1
        self.paths, self.ended = dict[int, str](), False  # path by stream; whether the connection has ended
        self._socket.sendall(_PREFACE + _frame(_SETTINGS, 0, 0))
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def open_stream(self, path: str, headers: Mapping[str, str], message: bytes | None = None) -> None:
        """Send the headers of a call of `path`, and its only message unless that is None.

        Raises:
            OSError: the server has closed the connection.
        """
        fields = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "localhost"}
        fields |= {"te": "trailers", "content-type": "application/grpc", **headers}
        block = b"".join(_literal(name, value) for name, value in fields.items())
        with self._lock:
            stream, self._next = self._next, self._next + 2
            self.paths[stream] = path
            frames = _frame(_HEADERS, _END_HEADERS, stream, block)
            if message is not None:
                body = struct.pack(">BI", 0, len(message)) + message
                frames += _frame(_DATA, _END_STREAM, stream, body)
            self._socket.sendall(frames)

    def _read(self) -> None:
        received = self._socket.makefile("rb")
        try:
            while len(header := received.read(9)) == 9:
                length, kind, flags, stream = _parsed(header)
                payload = received.read(length)
                if kind in (_SETTINGS, _PING) and not flags & _ACK:
                    with self._lock:
                        self._socket.sendall(_frame(kind, _ACK, 0, payload if kind == _PING else b""))
                if kind == _RST_STREAM or (kind in (_DATA, _HEADERS) and flags & _END_STREAM):
                    self.paths.pop(stream, None)
                if kind == _GOAWAY:
                    break
        except OSError:
            pass  # the server, or `__exit__`, closed the connection
        self.ended = True
        self.paths.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # already closed by the server
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._reader.join()


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3) + struct.pack(">BBI", kind, flags, stream) + payload


def _parsed(header: bytes) -> tuple[int, int, int, int]:
    kind, flags, stream = struct.unpack(">BBI", header[3:])
    return int.from_bytes(header[:3]), kind, flags, stream & 0x7FFFFFFF


def _literal(name: str, value: str) -> bytes:
    """Encode a header without index and without Huffman code (RFC 7541, 6.2.2); texts below 127 bytes."""
    texts = name.encode(), value.encode()
    assert all(len(text) < 127 for text in texts)
    return b"\0" + b"".join(bytes([len(text)]) + text for text in texts)
