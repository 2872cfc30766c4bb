"""A certificate authority for tests, which issues a server's and a client's certificate."""

import datetime
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Certificates:
    """Paths of PEM files."""

    authority: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path


def issue(folder: Path) -> Certificates:
    """Write a new authority and its certificates into `folder`."""
    key, name = ec.generate_private_key(ec.SECP256R1()), _name("authority")
    authority = _certificate(name, name, key, key, authority=True)
    (folder / "ca.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    for owner in ("server", "client"):
        owner_key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(_name(owner), name, owner_key, key)
        (folder / f"{owner}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (folder / f"{owner}.key").write_bytes(
            owner_key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    paths = (folder / name for name in ("ca.pem", "server.pem", "server.key", "client.pem", "client.key"))
    return Certificates(*paths)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    authority: bool = False,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(signer, hashes.SHA256())
    )
