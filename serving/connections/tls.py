"""TLS files of a server: its own certificate, and the roots that its clients' certificates must have."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import grpc


@dataclass(frozen=True)
class ServerTls:
    """PEM files; without any file the server uses plain text.

    The methods import gRPC, because a process that only reads settings does not need it.
    """

    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None  # roots: requires a certificate from each client (mutual TLS)

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("tls_certificate and tls_key belong together: set both or neither")
        if self.client_ca and not self.certificate:
            raise ValueError("tls_client_ca needs tls_certificate and tls_key: set them too")

    def listen(self, server: "grpc.Server | grpc.aio.Server", address: str) -> int:
        """Bind `server` to `address` (host:port) and return the port.

        Raises:
            OSError: a file can't be read or is not such a PEM file.
            RuntimeError: the port can't be bound.
        """
        import grpc

        if (pair := self._key_and_certificate()) is None:
            return server.add_insecure_port(address)
        roots = self.client_ca.read_bytes() if self.client_ca else None
        credentials = grpc.ssl_server_credentials([pair], roots, require_client_auth=roots is not None)
        return server.add_secure_port(address, credentials)

    def client_credentials(self) -> "grpc.ChannelCredentials":
        """Return credentials for calls to another server: this certificate and gRPC's default roots.

        The environment variable GRPC_DEFAULT_SSL_ROOTS_FILE_PATH replaces the roots.

        Raises:
            OSError: as in `listen`.
        """
        import grpc

        key, certificate = self._key_and_certificate() or (None, None)
        return grpc.ssl_channel_credentials(None, key, certificate)

    def _key_and_certificate(self) -> tuple[bytes, bytes] | None:
        """Read the files after checking them with OpenSSL, whose errors say more than gRPC's."""
        if not self.certificate or not self.key:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            # An empty password, because OpenSSL would ask for one on the terminal.
            context.load_cert_chain(self.certificate, self.key, password="")
            if self.client_ca:
                context.load_verify_locations(self.client_ca)
        except OSError as error:
            files = ", ".join(str(file) for file in (self.certificate, self.key, self.client_ca) if file)
            raise OSError(
                f"TLS: expected PEM files: a certificate, its unencrypted key, roots; got {files}: {error}"
            ) from error
        return self.key.read_bytes(), self.certificate.read_bytes()
