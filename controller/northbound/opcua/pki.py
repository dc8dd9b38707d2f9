"""Certificates on disk: the server's own, those trusted one by one, and those that knocked without being trusted.

Only a certificate that lies in ``trusted/`` itself is trusted; chains are not followed, so that none can loop or reach beyond what a
person has looked at. Thumbprints are SHA-1 over the DER form, as OPC UA clients show them.
"""

import hashlib
import ipaddress
import os
import re
import secrets
import tempfile
from collections.abc import Iterator, Mapping
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
MOST_HOST: Final = 253  # characters of a name in DNS
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_NAME: Final = re.compile(rf"(?:{_LABEL}\.)*(?![0-9]+\Z){_LABEL}")
_ANEW: Final = "move certificate.der away and let `ovenctl pki init` make a new one, which clients have to trust anew"
_ANEW_KEY: Final = "move it and certificate.der away and let `ovenctl pki init` make new ones, which clients have to trust anew"


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
    untimely: str = ""


def application_uri(host: str) -> str:
    """Return the server's application URI, which stands in its certificate."""
    return f"urn:{host}:ovenctl:gateway"


def thumbprint(der: bytes) -> str:
    """Return the certificate's thumbprint: SHA-1 in capital hex digits."""
    return hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()


def init(pki: Pki, application_uri: str, host: str) -> tuple[Path, ...]:
    """Make folders, keys and certificate as far as they are missing; return the files made. What is there is never overwritten.

    Raises:
        FileError: ``host`` cannot stand in a certificate, or what is there cannot be completed.
        OSError: the folder cannot be written; what was made until then is whole.
    """
    _host(host)
    for folder in (pki.certificate.parent, pki.trusted, pki.rejected):
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    made: dict[Path, bytes] = {}
    if pki.signing_key.exists():
        signing_key(pki)
    else:
        made[pki.signing_key] = _pem(Ed25519PrivateKey.generate())
    if pki.certificate.exists():
        own(pki)
    else:
        key = own_key(pki) if pki.key.exists() else rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
        made |= {} if pki.key.exists() else {pki.key: _pem(key)}
        made[pki.certificate] = self_signed(key, application_uri, host).public_bytes(serialization.Encoding.DER)
    _place(made, public=pki.certificate)
    return tuple(made)


def own(pki: Pki) -> tuple[x509.Certificate, rsa.RSAPrivateKey]:
    """Return the server's certificate and its key.

    Raises:
        FileError: one of them is missing or not readable, or they do not belong together.
    """
    try:
        certificate = x509.load_der_x509_certificate(pki.certificate.read_bytes())
    except FileNotFoundError as error:
        raise FileError(str(pki.certificate), [Problem("file", str(error), "a certificate in DER; `ovenctl pki init` makes it")]) from error
    except (OSError, ValueError) as error:
        raise FileError(str(pki.certificate), [Problem("file", str(error), f"a certificate in DER; {_ANEW}")]) from error
    if not pki.key.exists():
        raise FileError(str(pki.key), [Problem("file", "(missing)", f"the key of certificate.der: put it back, or {_ANEW}")])
    key = own_key(pki)
    if certificate.public_key() != key.public_key():
        raise FileError(str(pki.certificate), [Problem("key", "of another key", f"the certificate of key.pem; {_ANEW}")])
    return certificate, key


def own_key(pki: Pki) -> rsa.RSAPrivateKey:
    """Return the server's private key.

    Raises:
        FileError: it is not readable.
    """
    try:
        key = serialization.load_pem_private_key(pki.key.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise FileError(str(pki.key), [Problem("file", str(error), f"an RSA key in PEM; {_ANEW_KEY}")]) from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise FileError(str(pki.key), [Problem("file", type(key).__name__, f"an RSA key in PEM; {_ANEW_KEY}")])
    return key


def self_signed(key: rsa.RSAPrivateKey, application_uri: str, host: str, days: float = VALID_DAYS) -> x509.Certificate:
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
    except FileNotFoundError as error:
        raise FileError(str(path), [Problem("file", str(error), "an Ed25519 key in PEM; `ovenctl pki init` makes it")]) from error
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        allowed = "an Ed25519 key in PEM without a password; move it away and let `ovenctl pki init` make a new one"
        raise FileError(str(path), [Problem("file", str(error), allowed)]) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise FileError(str(path), [Problem("file", type(key).__name__, "an Ed25519 key in PEM")])
    return key


def new_signing_key(path: Path) -> None:
    """Make a key of approvals in the new file ``path``, readable by its owner only. Raises OSError when the file is there."""
    _place({path: _pem(Ed25519PrivateKey.generate())})


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
    if untimely(certificate):
        return "BadCertificateTimeInvalid"
    if application_uri is not None and application_uri not in uris:
        return "BadCertificateUriInvalid"
    return ""


def untimely(certificate: x509.Certificate) -> str:
    """Return "" while a certificate is valid, else "expired" or "not yet valid"."""
    now = datetime.now(UTC)
    if now > certificate.not_valid_after_utc:
        return "expired"
    return "not yet valid" if now < certificate.not_valid_before_utc else ""


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
        uris = ", ".join(uris_of(certificate))
        return Shown(thumbprint(der), certificate.subject.rfc4514_string(), uris, until, where, untimely(certificate))
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
    """Return ``host`` as it stands in a certificate. Raises FileError when it is neither an address nor a name."""
    try:
        if "%" not in host:
            return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    if len(host) > MOST_HOST or not _NAME.fullmatch(host):
        allowed = "an IP address without a zone, or a name of letters a to z, digits, - and _ in parts of at most 63 with dots between, "
        raise FileError("pki", [Problem("host", host, f"{allowed}{MOST_HOST} in all (ü and the like as xn--...)")])
    return x509.DNSName(host)


def _pem(key: rsa.RSAPrivateKey | Ed25519PrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _place(made: Mapping[Path, bytes], public: Path | None = None) -> None:
    """Write all files under other names first and give them their own then, in this order; all but ``public`` are their owner's only.

    Raises:
        OSError: one is there already, or the disk does not take them.
    """
    written: dict[Path, Path] = {}
    try:
        for path, content in made.items():
            descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
            written[path] = Path(name)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fchmod(descriptor, 0o644 if path == public else 0o600)
                os.fsync(descriptor)
        for path, new in written.items():
            os.link(new, path)  # unlike a rename it overwrites nothing
    finally:
        for new in written.values():
            new.unlink()
