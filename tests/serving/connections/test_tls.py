"""TLS of the recommender and of the embedded model server, and between the two."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from serving.connections.tls import ServerTls
from serving.errors import Unavailable
from serving.interest.model_server_client import InterestClient
from serving.model_server.server import StartError, create_server
from tests.patience import HANG_S
from tests.serving.model_server.tiny_model import export
from tests.serving.tls import Certificates

SERVER = ("tls_certificate", "tls_key", "tls_client_ca")


@pytest.fixture(scope="module")
def base_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(tmp_path_factory.mktemp("interest") / "1", scale=1).parent


def files(certificates: Certificates, client_ca: bool = True) -> dict[str, Any]:
    """TLS settings of a server; with `client_ca` it requires a client certificate."""
    paths = (certificates.server, certificates.server_key, certificates.authority)
    return dict(zip(SERVER[: 2 + client_ca], paths, strict=False))


@pytest.fixture(scope="module")
def mutual_tls_server(base_path: Path, certificates: Certificates) -> Iterator[str]:
    """The address of a model server that requires client certificates."""
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


def client_credentials(certificates: Certificates, with_certificate: bool) -> grpc.ChannelCredentials:
    pair = (certificates.client_key, certificates.client) if with_certificate else (None, None)
    return grpc.ssl_channel_credentials(
        *(file and file.read_bytes() for file in (certificates.authority, *pair))
    )


def test_the_model_server_with_mutual_tls_refuses_clients_without_a_certificate(
    mutual_tls_server: str, certificates: Certificates
) -> None:
    assert versions(mutual_tls_server, client_credentials(certificates, with_certificate=True)) == [1]
    for address, credentials in (
        (mutual_tls_server, client_credentials(certificates, with_certificate=False)),
        (mutual_tls_server, None),
        (mutual_tls_server.removeprefix("https://"), None),
    ):
        with pytest.raises(Unavailable):
            versions(address, credentials)


def test_the_model_server_without_mutual_tls_answers_clients_that_trust_it(
    base_path: Path, certificates: Certificates
) -> None:
    server, port = create_server(base_path, **files(certificates, client_ca=False))
    server.start()
    assert versions(
        f"https://localhost:{port}", client_credentials(certificates, with_certificate=False)
    ) == [1]
    with pytest.raises(Unavailable):
        versions(f"https://localhost:{port}")
    server.stop().wait()


def test_the_recommender_calls_the_model_server_with_its_own_certificate_and_the_roots_of_grpc(
    mutual_tls_server: str, certificates: Certificates
) -> None:
    settings = {
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": certificates.authority,
        "PENCHANT_MODEL_SERVER": mutual_tls_server,
        "PENCHANT_TLS_CERTIFICATE": certificates.client,
        "PENCHANT_TLS_KEY": certificates.client_key,
    }
    code = (
        "import asyncio; from serving.server import Dependencies\n"
        "from serving.configuration.settings import load_settings\n"
        "async def read(): return Dependencies.of(load_settings()).model_server.available_versions(1800)\n"
        "print(asyncio.run(read()))"
    )
    environment = {**os.environ, **{name: str(value) for name, value in settings.items()}}
    completed = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=HANG_S
    )
    assert completed.stdout == "[1]\n", completed.stderr


def test_an_incomplete_set_of_tls_files_is_refused() -> None:
    with pytest.raises(ValueError, match="tls_certificate and tls_key belong together"):
        ServerTls(key=Path("key.pem"))
    with pytest.raises(ValueError, match="tls_client_ca needs tls_certificate"):
        ServerTls(client_ca=Path("ca.pem"))


@pytest.mark.parametrize("fault", ["absent", "no PEM", "foreign key", "locked key", "no roots"])
def test_an_error_names_the_tls_files_when_one_is_absent_or_wrong(
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
    setting = "tls_client_ca" if fault == "no roots" else "tls_key"
    with pytest.raises(StartError, match=rf"TLS: expected PEM files: .*{wrong}"):
        create_server(base_path, **{**files(certificates), setting: wrong})


def test_the_model_server_has_options_for_tls_files(base_path: Path, certificates: Certificates) -> None:
    command = [sys.executable, "-m", "serving.model_server", "--base-path", str(base_path), "--port", "0"]
    completed = subprocess.run(
        [*command, "--tls-key", str(certificates.server_key)], capture_output=True, text=True, timeout=HANG_S
    )
    assert completed.returncode == 2
    assert "tls_certificate and tls_key belong together" in completed.stderr
