"""Certificates on disk: the server's own, those trusted one by one, and those that knocked without being trusted.

Only a certificate that lies in ``trusted/`` itself is trusted; chains are not followed, so that none can loop or reach beyond what a
person has looked at. Thumbprints are SHA-1 over the DER form, as OPC UA clients show them.
"""

import hashlib
import ipaddress
import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from controller.errors import FileError, Problem

VALID_DAYS: Final = 3650
KEY_BITS: Final = 3072
LEAST_BITS: Final = 2048
MOST_REJECTED: Final = 100  # files; an unknown certificate beyond that is refused and not kept
MOST_BYTES: Final = 16_384  # of one certificate


class Pki(NamedTuple):
    """The folder and what lies in it."""

    folder: Path

    @property
    def certificate(self) -> Path:
        """Return the server's certificate, DER."""
        return self.folder / "own" / "certificate.der"

    @property
    def key(self) -> Path:
        """Return the server's private key, PEM, readable by the gateway only."""
        return self.folder / "own" / "key.pem"

    @property
    def signing_key(self) -> Path:
        """Return the Ed25519 key with which approvals of recipes are signed."""
        return self.folder / "own" / "recipes.pem"

    @property
    def trusted(self) -> Path:
        """Return the folder of trusted certificates."""
        return self.folder / "trusted"

    @property
    def rejected(self) -> Path:
        """Return the folder of certificates that knocked and are not trusted."""
        return self.folder / "rejected"


class Shown(NamedTuple):
    """A certificate for people."""

    thumbprint: str
    subject: str
    uri: str
    until: str
    where: str


def application_uri(host: str) -> str:
    """Return the server's application URI, which stands in its certificate."""
    return f"urn:{host}:ovenctl:gateway"


def thumbprint(der: bytes) -> str:
    """Return the certificate's thumbprint: SHA-1 in capital hex digits."""
    return hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()


def init(pki: Pki, application_uri: str, host: str) -> bool:
    """Make folders, certificate and keys; return False when they are there already.

    Raises:
        OSError: the folder cannot be written.
    """
    for folder in (pki.certificate.parent, pki.trusted, pki.rejected):
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    if pki.certificate.exists() or pki.key.exists():
        return False
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    _secret(pki.key, key)
    _secret(pki.signing_key, Ed25519PrivateKey.generate())
    pki.certificate.write_bytes(self_signed(key, application_uri, host).public_bytes(serialization.Encoding.DER))
    return True


def self_signed(key: rsa.RSAPrivateKey, application_uri: str, host: str, days: int = VALID_DAYS) -> x509.Certificate:
    """Return an application instance certificate after OPC UA Part 6, 6.2.2."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, application_uri.rsplit(":", 1)[-1][:64] or "ovenctl")])
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=True, key_encipherment=True, data_encipherment=True, key_agreement=False,
        key_cert_sign=True, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(application_uri), _host(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )


def signing_key(pki: Pki) -> Ed25519PrivateKey:
    """Return the gateway's key of approvals. Raises FileError."""
    return signing_key_in(pki.signing_key)


def signing_key_in(path: Path) -> Ed25519PrivateKey:
    """Return the key of approvals in ``path``.

    Raises:
        FileError: there is none.
    """
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise FileError(str(path), [Problem("file", str(error), "an Ed25519 key in PEM; `ovenctl pki init` makes it")]) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise FileError(str(path), [Problem("file", type(key).__name__, "an Ed25519 key in PEM")])
    return key


def new_signing_key(path: Path) -> None:
    """Make a key of approvals in the new file ``path``, readable by its owner only. Raises OSError when the file is there."""
    _secret(path, Ed25519PrivateKey.generate())


def listed(pki: Pki) -> Iterator[Shown]:
    """Yield own, trusted and rejected certificates."""
    for where, folder in (("own", pki.certificate.parent), ("trusted", pki.trusted), ("rejected", pki.rejected)):
        for file in sorted(folder.glob("*.der")):
            yield _shown(file.read_bytes()[:MOST_BYTES], where)


def trust(pki: Pki, print_: str) -> Shown:
    """Move the rejected certificate with this thumbprint (or a file's path) to the trusted ones.

    Raises:
        FileError: there is none, or it is no certificate.
    """
    wanted = print_.replace(":", "").replace(" ", "").upper()
    source = Path(print_) if Path(print_).is_file() else pki.rejected / f"{wanted}.der"
    try:
        der = _der(source.read_bytes()[:MOST_BYTES])
    except (OSError, ValueError) as error:
        here = ", ".join(file.stem for file in sorted(pki.rejected.glob("*.der"))) or "none"
        raise FileError(str(pki.rejected), [Problem("thumbprint", print_, f"a rejected certificate ({here}) or a file")]) from error
    pki.trusted.mkdir(parents=True, exist_ok=True)
    (pki.trusted / f"{thumbprint(der)}.der").write_bytes(der)
    (pki.rejected / f"{thumbprint(der)}.der").unlink(missing_ok=True)
    return _shown(der, "trusted")


def distrust(pki: Pki, print_: str) -> None:
    """Take a certificate out of the trusted ones; sessions that stand are not ended.

    Raises:
        FileError: it is not trusted.
    """
    file = pki.trusted / f"{print_.replace(':', '').replace(' ', '').upper()}.der"
    if not file.is_file():
        here = ", ".join(one.stem for one in sorted(pki.trusted.glob("*.der"))) or "none"
        raise FileError(str(pki.trusted), [Problem("thumbprint", print_, f"one of {here}")])
    file.replace(pki.rejected / file.name)


def objection(pki: Pki, der: bytes, application_uri: str | None) -> str:
    """Return the status code's name with which ``der`` is refused, "" when trusted; an unknown one is kept for a person to look at."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        key = certificate.public_key()
        uris = uris_of(certificate)
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature):
        return "BadCertificateInvalid"
    if len(der) > MOST_BYTES or not isinstance(key, rsa.RSAPublicKey) or key.key_size < LEAST_BITS:
        return "BadCertificateInvalid"
    if not (pki.trusted / f"{thumbprint(der)}.der").is_file() or not secrets.compare_digest(
        (pki.trusted / f"{thumbprint(der)}.der").read_bytes(), der
    ):
        _keep(pki, der)
        return "BadCertificateUntrusted"
    now = datetime.now(UTC)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        return "BadCertificateTimeInvalid"
    if application_uri is not None and application_uri not in uris:
        return "BadCertificateUriInvalid"
    return ""


def _keep(pki: Pki, der: bytes) -> None:
    file = pki.rejected / f"{thumbprint(der)}.der"
    if pki.rejected.is_dir() and not file.exists() and sum(1 for _ in pki.rejected.iterdir()) < MOST_REJECTED:
        file.write_bytes(der)


def _der(raw: bytes) -> bytes:
    certificate = x509.load_pem_x509_certificate(raw) if raw.startswith(b"-----") else x509.load_der_x509_certificate(raw)
    return certificate.public_bytes(serialization.Encoding.DER)


def _shown(der: bytes, where: str) -> Shown:
    try:
        certificate = x509.load_der_x509_certificate(der)
        until = certificate.not_valid_after_utc.date().isoformat()
        return Shown(thumbprint(der), certificate.subject.rfc4514_string(), ", ".join(uris_of(certificate)), until, where)
    except ValueError as error:
        return Shown(thumbprint(der), f"not readable: {error}", "", "", where)


def uris_of(certificate: x509.Certificate) -> list[str]:
    """Return the application URIs that stand in a certificate."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(uri) for uri in names.get_values_for_type(x509.UniformResourceIdentifier)]


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _secret(path: Path, key: rsa.RSAPrivateKey | Ed25519PrivateKey) -> None:
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
