"""Certificate, key and the PLC's pinned certificate of the OPC UA client; files as a person gives them, PEM or DER."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.crypto.uacrypto import CertProperties
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from controller.errors import FileError, Problem
from controller.southbound.opcua_settings import SECURE_FILES, OpcUaSettings


class Security:
    """Basic256Sha256, signed and encrypted; only the pinned certificate is taken for the PLC's."""

    def __init__(self, settings: OpcUaSettings) -> None:
        """Read the three files.

        Raises:
            FileError: one cannot be used; key, path and what is allowed.
        """
        ours, key, server = (_der(name, str(getattr(settings, name))) for name in SECURE_FILES)
        self._files = [CertProperties(content, "der") for content in (ours, key, server)]
        self._uri = _application_uri(str(settings.certificate_file), x509.load_der_x509_certificate(ours))

    async def apply(self, client: Client) -> None:
        """Make ``client`` use it."""
        certificate, key, server = self._files
        client.application_uri = self._uri
        await client.set_security(
            SecurityPolicyBasic256Sha256, certificate, key, server_certificate=server, mode=ua.MessageSecurityMode.SignAndEncrypt
        )


def _der(name: str, path: str) -> bytes:
    content = Path(path).read_bytes()
    is_pem = content.startswith(b"-----")
    try:
        if name == "key_file":
            load: Any = serialization.load_pem_private_key if is_pem else serialization.load_der_private_key
            key = load(content, None)
            return bytes(key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        parse = x509.load_pem_x509_certificate if is_pem else x509.load_der_x509_certificate
        return parse(content).public_bytes(serialization.Encoding.DER)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        what = "an RSA key without a password" if name == "key_file" else "an X.509 certificate"
        raise FileError("settings", [Problem(f"plc.opcua.{name}", path, f"must be {what}, PEM or DER: {error}")]) from error


def _application_uri(path: str, certificate: x509.Certificate) -> str:
    with suppress(x509.ExtensionNotFound):
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if uris := names.get_values_for_type(x509.UniformResourceIdentifier):
            return str(uris[0])
    allowed = "must carry our application URI (subject alternative name, URI)"
    raise FileError("settings", [Problem("plc.opcua.certificate_file", path, allowed)])
