"""TLS by the same settings for the recommender and the embedded model server, and between the two."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from serving.configuration.tls import ServerTls
from serving.errors import Unavailable
from serving.interest.client import InterestClient
from serving.model_server.server import StartError, create_server
from tests.patience import HANG_S
from tests.serving.model_server.tiny_model import export
from tests.serving.tls import Certificates

SERVER = ("tls_certificate", "tls_key", "tls_client_ca")


@pytest.fixture(scope="module")
def base_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(tmp_path_factory.mktemp("interest") / "1", scale=1).parent


def files(certificates: Certificates, client_ca: bool = True) -> dict[str, Path]:
    """Of a server that asks its clients for a certificate, if `client_ca`."""
    given = (certificates.server, certificates.server_key, certificates.authority)
    return dict(zip(SERVER[: 2 + client_ca], given, strict=False))


@pytest.fixture(scope="module")
def asking(base_path: Path, certificates: Certificates) -> Iterator[str]:
    """Address of a model server that asks its clients for a certificate."""
    server, port = create_server(base_path, **files(certificates))
    server.start()
    yield f"https://localhost:{port}"
    server.stop().wait()


def versions(address: str, credentials: grpc.ChannelCredentials | None = None) -> list[int]:
    client = InterestClient(address, credentials=credentials)
    try:
        return client.available_versions(timeout_s=HANG_S)
    finally:
        client.close()


def of(certificates: Certificates, known: bool) -> grpc.ChannelCredentials:
    pair = (certificates.client_key, certificates.client) if known else (None, None)
    return grpc.ssl_channel_credentials(
        *(file and file.read_bytes() for file in (certificates.authority, *pair))
    )


def test_the_model_server_answers_who_shows_a_certificate_and_nobody_else(
    asking: str, certificates: Certificates
) -> None:
    assert versions(asking, of(certificates, known=True)) == [1]
    for address, credentials in (
        (asking, of(certificates, known=False)),
        (asking, None),
        (asking.removeprefix("https://"), None),
    ):
        with pytest.raises(Unavailable):
            versions(address, credentials)


def test_without_roots_of_clients_the_model_server_answers_who_trusts_it(
    base_path: Path, certificates: Certificates
) -> None:
    server, port = create_server(base_path, **files(certificates, client_ca=False))
    server.start()
    assert versions(f"https://localhost:{port}", of(certificates, known=False)) == [1]
    with pytest.raises(Unavailable):
        versions(f"https://localhost:{port}")
    server.stop().wait()


def test_the_recommender_trusts_the_roots_of_grpc_and_shows_its_own_certificate(
    asking: str, certificates: Certificates
) -> None:
    settings = {
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": certificates.authority,
        "PENCHANT_MODEL_SERVER": asking,
        "PENCHANT_TLS_CERTIFICATE": certificates.client,
        "PENCHANT_TLS_KEY": certificates.client_key,
    }
    code = (
        "import asyncio; from serving.server import Dependencies\n"
        "from serving.configuration.settings import load_settings\n"
        "async def versions(): return Dependencies.of(load_settings()).versions.available_versions(1800)\n"
        "print(asyncio.run(versions()))"
    )
    environment = {**os.environ, **{name: str(value) for name, value in settings.items()}}
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=HANG_S
    )
    assert told.stdout == "[1]\n", told.stderr


def test_a_part_that_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match="tls_certificate and tls_key belong together"):
        ServerTls(key=Path("key.pem"))
    with pytest.raises(ValueError, match="tls_client_ca needs tls_certificate"):
        ServerTls(client_ca=Path("ca.pem"))


@pytest.mark.parametrize("fault", ["absent", "no PEM", "foreign key", "locked key", "no roots"])
def test_files_that_are_not_what_they_should_be_are_named_before_a_port_is_blamed(
    base_path: Path, certificates: Certificates, tmp_path: Path, fault: str
) -> None:
    wrong = tmp_path / "wrong.pem"
    if fault == "foreign key":
        shutil.copy(certificates.client_key, wrong)
    elif fault == "locked key":
        key = ec.generate_private_key(ec.SECP256R1())
        wrong.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")))
    elif fault != "absent":
        wrong.write_text("no PEM")
    part = "tls_client_ca" if fault == "no roots" else "tls_key"
    with pytest.raises(StartError, match=rf"TLS: expected a certificate, .*{wrong}"):
        create_server(base_path, **{**files(certificates), part: wrong})


def test_files_of_tls_are_options_of_the_model_server(base_path: Path, certificates: Certificates) -> None:
    command = [sys.executable, "-m", "serving.model_server", "--base-path", str(base_path), "--port", "0"]
    alone = subprocess.run(
        [*command, "--tls-key", str(certificates.server_key)], capture_output=True, text=True, timeout=HANG_S
    )
    assert alone.returncode == 2
    assert "tls_certificate and tls_key belong together" in alone.stderr
