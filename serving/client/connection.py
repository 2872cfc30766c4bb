"""The client's end of a connection: TLS, token, retries, and the errors of calls."""

import json
from pathlib import Path
from typing import Final, TypedDict

import grpc

from serving import errors
from serving.connections.loopback import channel_options as proxy_options

_RETRY: Final = {
    "maxAttempts": 4,
    "initialBackoff": "0.05s",
    "maxBackoff": "1s",
    "backoffMultiplier": 3,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
_METHODS: Final = [{"name": [{"service": "penchant.v1.RecommenderService"}], "retryPolicy": _RETRY}]
_OPTIONS: Final = (
    ("grpc.service_config", json.dumps({"methodConfig": _METHODS})),
    ("grpc.max_reconnect_backoff_ms", 1000),
)

# The details of a call that gRPC refused before the service; a call that the client cancelled has others.
_REFUSED_DETAILS: Final = ("CANCELLED",)

# How gRPC's own details begin if no server listens at the address; all other details come from the service.
_NOT_CONNECTED: Final = ("failed to connect", "DNS resolution failed", "Domain name not found")

_ERRORS: Final = {
    grpc.StatusCode[error.status]: error
    for error in (
        errors.InvalidRequest,
        errors.AlreadyExists,
        errors.Unauthenticated,
        errors.Forbidden,
        errors.TooManyRequests,
        errors.Unavailable,
    )
}


class TlsFiles(TypedDict, total=False):
    """PEM files; without any of them the connection is plain text."""

    tls_roots: Path  # trusted root certificates
    tls_certificate: Path  # of the client, with its key
    tls_key: Path


def authorization(token: str) -> tuple[tuple[str, str], ...]:
    """Return the metadata of each call; "" is no token."""
    return (("authorization", f"Bearer {token}"),) if token else ()


def channel_options(address: str) -> tuple[tuple[str, str | int], ...]:
    """Return the gRPC options of a channel to `address`."""
    return (*_OPTIONS, *proxy_options(address))


def credentials(tls: TlsFiles) -> grpc.ChannelCredentials:
    """Return the credentials of a channel.

    Raises:
        OSError: a file can't be read.
    """
    files = (tls.get("tls_roots"), tls.get("tls_key"), tls.get("tls_certificate"))
    roots, key, certificate = (file.read_bytes() if file else None for file in files)
    return grpc.ssl_channel_credentials(roots, key, certificate)


def error_of(address: str, code: grpc.StatusCode, details: str | None) -> errors.PenchantError:
    """Return the error to raise for a call that ended with `code`."""
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return errors.Unavailable(
            f"recommender {address} did not answer in time: check its load, or raise timeout_s"
        )
    if details in _REFUSED_DETAILS:
        return errors.TooManyRequests(f"recommender {address} has too many pending calls: retry in a second")
    if code is grpc.StatusCode.UNAVAILABLE and (details or "").startswith(_NOT_CONNECTED):
        details = f"recommender {address}: {details}; start one with `penchant serve`"
    return _ERRORS.get(code, errors.PenchantError)(details)
