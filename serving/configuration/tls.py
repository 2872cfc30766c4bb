"""TLS of a server: what it proves itself by, and of whom it wants proof."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import grpc


@dataclass(frozen=True)
class ServerTls:
    """PEM files; a server without any speaks plain text.

    gRPC is imported when it is needed: whoever only reads settings does without.
    """

    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None  # roots of clients: each is asked for a certificate

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("tls_certificate and tls_key belong together: give both or neither")
        if self.client_ca and not self.certificate:
            raise ValueError("tls_client_ca needs tls_certificate and tls_key")

    def listen(self, server: "grpc.Server | grpc.aio.Server", address: str) -> int:
        """Bind `server` to `address`, host:port, and return the port.

        Raises:
            OSError: a file can't be read or holds something else.
            RuntimeError: the port can't be had.
        """
        import grpc

        if (pair := self._pair()) is None:
            return server.add_insecure_port(address)
        roots = self.client_ca.read_bytes() if self.client_ca else None
        credentials = grpc.ssl_server_credentials([pair], roots, require_client_auth=roots is not None)
        return server.add_secure_port(address, credentials)

    def towards(self) -> "grpc.ChannelCredentials":
        """For calls to another server: gRPC's roots (GRPC_DEFAULT_SSL_ROOTS_FILE_PATH), and its own pair.

        Raises:
            OSError: as `listen` does.
        """
        import grpc

        key, certificate = self._pair() or (None, None)
        return grpc.ssl_channel_credentials(None, key, certificate)

    def _pair(self) -> tuple[bytes, bytes] | None:
        """Key and certificate chain; what gRPC would not say of them, OpenSSL does."""
        if not self.certificate or not self.key:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.certificate, self.key, password="")  # else it would ask a terminal
            if self.client_ca:
                context.load_verify_locations(self.client_ca)
        except OSError as error:
            files = ", ".join(str(file) for file in (self.certificate, self.key, self.client_ca) if file)
            raise OSError(
                f"TLS: expected a certificate, its key, and roots, as PEM, in {files}: {error}"
            ) from error
        return self.key.read_bytes(), self.certificate.read_bytes()
