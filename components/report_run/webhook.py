"""Posts JSON to a webhook, signed as in https://www.standardwebhooks.com.

The header `webhook-signature` is `v1,` and the base64 of the HMAC-SHA-256 of
`<webhook-id>.<webhook-timestamp>.<body>`. The id is that of the run, so that a receiver can leave out a
message that it has; an old timestamp is a replay.
"""

import base64
import hashlib
import hmac
import json
import time
import urllib.request
from email.message import Message
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

TIMEOUT_S: Final = 10.0

# Pauses before further attempts.
PAUSES_S: Final = (1.0, 5.0)

# Such answers are worth another attempt; others will not change.
_TEMPORARY: Final = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


class NotDelivered(Exception):
    """A receiver did not get its message; the text names the receiver and the cause, but no secret."""


class _Unredirected(urllib.request.HTTPRedirectHandler):
    """Takes a redirect as an error: its target must not get the signed message."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        return None


def post(
    webhook: str,
    key_file: str,
    message_id: str,
    message: dict[str, Any],
    pauses_s: tuple[float, ...] = PAUSES_S,
) -> None:
    """Post a message, at most once more than there are pauses.

    Args:
        webhook: an http(s) URL, or the path of a file that has it.
        key_file: the path of the file with the key; "" posts without a signature.

    Raises:
        NotDelivered: no attempt succeeded, or a file cannot be read.
    """
    url, key = _read(webhook) if webhook.startswith("/") else webhook, _key(key_file)
    body = json.dumps(message).encode()
    opener = urllib.request.build_opener(_Unredirected)
    for pause_s in (*pauses_s, None):
        headers = {"Content-Type": "application/json", **signature(key, message_id, body, int(time.time()))}
        try:
            with opener.open(urllib.request.Request(url, body, headers), timeout=TIMEOUT_S):
                return
        except HTTPError as error:
            error.close()
            fault = _describe(error.code, error.headers)
            is_temporary = error.code in _TEMPORARY or error.code >= HTTPStatus.INTERNAL_SERVER_ERROR
        except (URLError, OSError, ValueError) as error:
            fault, is_temporary = str(getattr(error, "reason", error)), not isinstance(error, ValueError)
        if pause_s is None or not is_temporary:
            raise NotDelivered(f"the webhook at {_host(url)}: {fault}")
        time.sleep(pause_s)


def signature(key: bytes | None, message_id: str, body: bytes, timestamp: int) -> dict[str, str]:
    """Return the headers that identify and sign a message; without a key, that identify it."""
    headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp)}
    if key is None:
        return headers
    digest = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return headers | {"webhook-signature": f"v1,{base64.b64encode(digest).decode()}"}


def _key(file: str) -> bytes | None:
    """Return the key in a file: base64 after `whsec_`, as libraries write it, or else the text itself."""
    if not file:
        return None
    text = _read(file)
    prefix, found, encoded = text.partition("whsec_")
    return base64.b64decode(encoded) if found and not prefix else text.encode()


def _read(file: str) -> str:
    try:
        return Path(file).read_text().strip()
    except OSError as error:
        raise NotDelivered(f"the webhook: {file} cannot be read: {error.strerror}") from error


def _describe(code: int, headers: Message) -> str:
    if HTTPStatus.MULTIPLE_CHOICES <= code < HTTPStatus.BAD_REQUEST:
        return f"it redirects to {_host(headers.get('Location', ''))}, which a signed message does not follow"
    return f"HTTP status {code}"


def _host(url: str) -> str:
    """Return scheme and host of a URL; the path of a webhook is often a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}" if parts.hostname else "an address without a host"
