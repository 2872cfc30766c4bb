"""The gRPC server: its options, interceptor and port."""

import logging
from typing import TYPE_CHECKING, Final

import grpc.aio

from serving.api.admission import Admission
from serving.api.authorization import Authorizer
from serving.api.call_interceptor import CallInterceptor, Limits
from serving.api.concurrency_limit import ConcurrencyLimit
from serving.api.message_waits import MessageWaits
from serving.api.rate_limit import RateLimit
from serving.api.stream_limit import StreamLimit
from serving.api.user_ids import UserIds
from serving.api.validation import RequestLimits
from serving.configuration.settings import LOOPBACK, ServingSettings
from serving.telemetry.logs import RequestLog
from serving.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from serving.telemetry.tracing import Tracing

logger = logging.getLogger(__name__)

# Connections without a call are closed after this time; a client connects again with its next call.
_IDLE_MS: Final = 15 * 60_000

# Time for the TLS and HTTP/2 handshakes of a new connection.
_HANDSHAKE_MS: Final = 10_000


def create_server(
    settings: ServingSettings, metrics: Metrics, tracing: "Tracing | None" = None
) -> grpc.aio.Server:
    """Create a server without services; call it in the event loop that serves.

    Raises:
        ValueError: the pseudonym key can't be read.
    """
    tokens = {
        scope: [secret.get_secret_value() for secret in secrets] for scope, secrets in settings.tokens.items()
    }
    limits = Limits(
        Admission(RateLimit(settings.requests_per_second), Authorizer(tokens)),
        MessageWaits(settings.max_concurrent_requests, settings.message_timeout_ms / 1000),
        StreamLimit(settings.max_watches),
        ConcurrencyLimit(settings.max_in_flight, settings.max_concurrent_requests),
        ConcurrencyLimit(settings.max_in_flight, settings.max_concurrent_requests),
    )
    request_log = RequestLog(settings.log_requests, settings.log_user_ids)
    user_ids = UserIds(settings.pseudonyms, RequestLimits.of(settings))
    # Without maximum_concurrent_rpcs: gRPC would count calls that wait for their message or watch the health.
    interceptor = CallInterceptor(limits, metrics, request_log, user_ids, tracing)
    return grpc.aio.server(interceptors=[interceptor], options=_options(settings))


def _options(settings: ServingSettings) -> list[tuple[str, int]]:
    return [
        # By default gRPC lets a second server share the port; only workers may.
        ("grpc.so_reuseport", int(settings.shared_port)),
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        # A client library waits with further calls until the server has answered earlier ones.
        ("grpc.max_concurrent_streams", settings.max_streams),
        ("grpc.max_allowed_incoming_connections", settings.max_connections),
        ("grpc.max_connection_idle_ms", _IDLE_MS),
        ("grpc.server_handshake_timeout_ms", _HANDSHAKE_MS),
        # While the event loop is busy, calls wait in gRPC's core. The core refuses further calls at once,
        # with CANCELLED and without running Python: they would wait longer than their deadline.
        ("grpc.server.max_pending_requests", settings.max_concurrent_requests),
        ("grpc.server.max_pending_requests_hard_limit", settings.max_concurrent_requests),
    ]


def listen(server: grpc.aio.Server, settings: ServingSettings) -> int:
    """Bind the server to the address of the settings and return the port.

    Raises:
        OSError: the port is in use, or a TLS file can't be read.
    """
    if settings.tokens and not settings.tls_certificate and settings.host not in LOOPBACK:
        logger.warning(
            "bearer tokens are sent in plain text on %s; set PENCHANT_TLS_CERTIFICATE and PENCHANT_TLS_KEY",
            settings.host,
        )
    address = f"{settings.host}:{settings.port}"
    try:
        return settings.tls.listen(server, address)
    except RuntimeError as error:
        raise OSError(
            f"can't listen on {address}: is the port in use? "
            "Stop the process that listens there, or set PENCHANT_PORT"
        ) from error
