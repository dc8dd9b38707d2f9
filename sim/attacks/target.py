"""Whom to attack, and with what: the server's address, an application that it trusts, one that it does not, and people who may log in."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from controller.northbound.opcua import pki, users
from controller.northbound.opcua.pki import Pki

PASSWORD: Final = "correct horse 9"
PEOPLE: Final = {"vera": "viewer", "otto": "operator"}
ATTACKER: Final = "127.0.0.66"  # address that attacks come from, so that its waits and its share of connections are its own
CHEAP: Final = 2**14  # scrypt of a rehearsal


class Target(NamedTuple):
    """The server and the files that a client of it needs."""

    port: int
    folder: Path

    @property
    def store(self) -> Pki:
        """Return the server's certificates."""
        return Pki(self.folder / "gateway" / "pki")

    async def client(self, user: str = "vera", application: str = "trusted", answer_s: float = 10.0) -> Client:
        """Return a client that is not connected yet."""
        client = Client(f"opc.tcp://127.0.0.1:{self.port}/ovenctl", timeout=answer_s, watchdog_intervall=3600)
        client.application_uri = f"urn:{application}"
        certificate, key = (str(self.folder / f"{application}.{suffix}") for suffix in ("der", "pem"))
        await client.set_security(
            SecurityPolicyBasic256Sha256, certificate, key, server_certificate=str(self.store.certificate),
            mode=ua.MessageSecurityMode.SignAndEncrypt,
        )  # fmt: skip
        client.set_user(user)
        client.set_password(PASSWORD)
        return client


def prepare(folder: Path) -> None:
    """Make the server's certificate and users, a trusted application, a stranger, and two certificates that issue each other."""
    store = Pki(folder / "gateway" / "pki")
    store.folder.mkdir(parents=True)
    pki.init(store, pki.application_uri("localhost"), "127.0.0.1")
    given = {name: users.Account.model_validate({"role": role, "password": users.hashed(PASSWORD, CHEAP)}) for name, role in PEOPLE.items()}
    users.write(folder / "gateway" / "users.toml", given)
    for name in ("trusted", "stranger"):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        _write(folder, name, pki.self_signed(key, f"urn:{name}", "localhost"), key)
    pki.trust(store, str(folder / "trusted.der"))
    keys = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2)]
    _write(folder, "loop", _issued("urn:loop", "urn:other", keys[0], keys[1]), keys[0])
    _write(folder, "other", _issued("urn:other", "urn:loop", keys[1], keys[0]), keys[1])


def _issued(subject: str, issuer: str, key: rsa.RSAPrivateKey, by: rsa.RSAPrivateKey) -> x509.Certificate:
    now = datetime.now(UTC)
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (subject, issuer)]
    return (
        x509.CertificateBuilder().subject_name(names[0]).issuer_name(names[1]).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(subject)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(by, hashes.SHA256())
    )  # fmt: skip


def _write(folder: Path, name: str, certificate: x509.Certificate, key: rsa.RSAPrivateKey) -> None:
    (folder / f"{name}.der").write_bytes(certificate.public_bytes(serialization.Encoding.DER))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / f"{name}.pem").write_bytes(pem)


class FromElsewhere(asyncio.SelectorEventLoop):
    """An event loop whose connections come from ``ATTACKER``."""

    async def create_connection(self, *given: Any, **named: Any) -> Any:
        """Connect from the attacker's address."""
        return await super().create_connection(*given, **{"local_addr": (ATTACKER, 0), **named})
