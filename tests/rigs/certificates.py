"""A certificate authority of a test's own, and servers on the loopback interface that it vouches for."""

import ssl
import time
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

YEAR_S = 365 * 86_400.0


class Authority:
    """Signs server certificates; `bundle` is what a client trusts it by. Valid until so many seconds from now."""

    def __init__(self, folder: Path, *, until_s: float = 5 * YEAR_S) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
        now_s = time.time()
        builder = _builder(self._name, self._name, self._key.public_key(), now_s - 5 * YEAR_S, now_s + until_s)
        self._certificate = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(
            self._key, hashes.SHA256()
        )
        self.bundle = folder / "ca.pem"
        self.bundle.write_bytes(self._certificate.public_bytes(Encoding.PEM))

    def server(self, *, from_s: float = -YEAR_S, until_s: float = YEAR_S, host: str | None = None) -> ssl.SSLContext:
        """A server for 127.0.0.1 (or `host`) whose certificate is valid between these seconds from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        now_s = time.time()
        name: x509.GeneralName = x509.DNSName(host) if host else x509.IPAddress(IPv4Address("127.0.0.1"))
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test server")])
        builder = _builder(subject, self._name, key.public_key(), now_s + from_s, now_s + until_s)
        certificate = (
            builder.add_extension(x509.SubjectAlternativeName([name]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        file = self._folder / f"server-{certificate.serial_number}.pem"
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(pem + certificate.public_bytes(Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, from_s: float, until_s: float
) -> x509.CertificateBuilder:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(epoch + timedelta(seconds=int(from_s)))
        .not_valid_after(epoch + timedelta(seconds=int(until_s)))
    )
