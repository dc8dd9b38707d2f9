"""How the PLC is reached over OPC UA. Apart from the driver, so that reading a configuration loads no OPC UA library."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from controller.errors import FileError, Problem

FilePath = Annotated[str, StringConstraints(min_length=1, max_length=400)]
SECURE_FILES: Final = ("certificate_file", "key_file", "server_certificate_file")
OPCUA_FILES: Final = (*SECURE_FILES, "password_file")


class OpcUaSettings(BaseModel):
    """How the PLC is reached over OPC UA; always signed and encrypted unless ``security`` says "None". Times are wall seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    url: Annotated[str, StringConstraints(pattern=r"^opc\.tcp://[^\s/@]{1,253}:[0-9]{1,5}(/\S{0,200})?$")] = "opc.tcp://127.0.0.1:4840"
    security: Annotated[
        Literal["Basic256Sha256", "None"], Field(description="None: anybody on the wire reads and commands; for a bench only")
    ] = "Basic256Sha256"
    certificate_file: Annotated[FilePath | None, Field(description="our certificate, PEM or DER, with our application URI")] = None
    key_file: Annotated[FilePath | None, Field(description="its key, PEM or DER")] = None
    server_certificate_file: Annotated[FilePath | None, Field(description="the PLC's own certificate, the only one that is trusted")] = None
    username: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    password_file: FilePath | None = None
    publish_s: Annotated[float, Field(ge=0.005, le=1.0, description="publishing interval of the subscription")] = 0.1
    timeout_s: Annotated[float, Field(ge=0.05, le=2.0, description="deadline of a write")] = 0.4
    connect_s: Annotated[float, Field(ge=0.5, le=30.0, description="deadline of connecting, to the first whole image")] = 5.0
    silent_s: Annotated[
        float, Field(ge=0.1, le=10.0, description="when no new image came for this long, the PLC is asked whether it has one")
    ] = 1.0
    late_s: Annotated[
        float, Field(ge=0.05, le=2.0, description="an image that was under way for longer than usual by this is not used")
    ] = 1.0


def check(settings: OpcUaSettings) -> None:
    """Return when the settings are complete and the files they name are there.

    Raises:
        FileError: with each key, its value and what is allowed.
    """
    named = {name: path for name in OPCUA_FILES if (path := getattr(settings, name)) is not None}
    missing = [Problem(f"plc.opcua.{name}", path, "no such file") for name, path in named.items() if not Path(path).is_file()]
    if problems := [*contradictions(settings), *missing]:
        raise FileError("settings", problems)


def contradictions(settings: OpcUaSettings) -> Iterator[Problem]:
    """Yield what is missing or does not go together; the files themselves are not looked at: only the core may be allowed to."""
    secure = settings.security != "None"
    for name in SECURE_FILES:
        path = getattr(settings, name)
        if secure and path is None:
            yield Problem(f"plc.opcua.{name}", None, f'needed for security = "{settings.security}"; security = "None" is for a bench only')
        elif not secure and path is not None:
            yield Problem(f"plc.opcua.{name}", path, 'has no use with security = "None"')
    if (settings.username is None) != (settings.password_file is None):
        yield Problem("plc.opcua.username", settings.username, "goes with password_file, neither without the other")
    if not secure and settings.username is not None:
        yield Problem("plc.opcua.username", settings.username, 'would go over the wire in the clear with security = "None"')
