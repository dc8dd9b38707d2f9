"""How the PLC is reached over Modbus: TCP, RTU on a serial line, or Modbus/TCP Security (mutual TLS)."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from controller.errors import FileError, Problem

PORTS: Final = {"tcp": 502, "tls": 802}  # as registered for Modbus and for Modbus/TCP Security
TLS_FILES: Final = ("ca_file", "certificate_file", "key_file")
FilePath = Annotated[str, StringConstraints(min_length=1, max_length=400)]


class ModbusSettings(BaseModel):
    """How the PLC is reached over Modbus: ``host`` (tcp, tls) or ``serial`` (rtu); tls needs the three files. Times are wall seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    transport: Annotated[Literal["tcp", "rtu", "tls"], Field(description="tls is Modbus/TCP Security: both ends show a certificate")] = (
        "tcp"
    )
    host: Annotated[str, StringConstraints(min_length=1, max_length=253)] | None = None
    port: Annotated[int | None, Field(ge=1, le=65535, description="when left out 502, with tls 802")] = None
    serial: Annotated[str | None, StringConstraints(pattern=r"^/dev/\S{1,200}$"), Field(description="serial line of rtu, /dev/...")] = None
    baud: Annotated[int, Field(ge=1200, le=1_000_000)] = 19200
    parity: Literal["N", "E", "O"] = "E"
    stop_bits: Annotated[int, Field(ge=1, le=2)] = 1
    ca_file: Annotated[FilePath | None, Field(description="tls: authority of the PLC's certificate, PEM")] = None
    certificate_file: Annotated[FilePath | None, Field(description="tls: our certificate, PEM")] = None
    key_file: Annotated[FilePath | None, Field(description="tls: its key, PEM")] = None
    timeout_s: Annotated[float, Field(ge=0.05, le=2.0, description="deadline of a reply")] = 0.4
    silent_s: Annotated[float, Field(ge=0.1, le=10.0, description="a half-open connection is closed after this long without a reply")] = 1.0

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        wanted, other = ("serial", ("host", "port")) if self.transport == "rtu" else ("host", ("serial",))
        if getattr(self, wanted) is None:
            raise ValueError(f'transport = "{self.transport}" needs {wanted}')
        for name in other:
            if getattr(self, name) is not None:
                raise ValueError(f'{name} does not go with transport = "{self.transport}"')
        missing = [name for name in TLS_FILES if (getattr(self, name) is None) == (self.transport == "tls")]
        if missing and self.transport == "tls":
            raise ValueError(f'transport = "tls" needs {", ".join(missing)}')
        if missing:
            raise ValueError(f'{", ".join(missing)}: only with transport = "tls"')
        return self

    @property
    def address(self) -> str:
        """Return where the PLC is, for a person."""
        return self.serial or f"{self.host}:{self.tcp_port}"

    @property
    def tcp_port(self) -> int:
        """Return the port, the registered one when none is set."""
        return self.port or PORTS.get(self.transport, 0)


def tls_context(settings: ModbusSettings) -> ssl.SSLContext:
    """Return the TLS context of the client: TLS 1.2 or newer, the PLC's name and certificate checked, ours shown.

    Raises:
        FileError: a file cannot be read, or is no certificate or key.
    """
    files: Mapping[str, Any] = {name: getattr(settings, name) for name in TLS_FILES}
    problems = [Problem(f"plc.modbus.{name}", path, "no such file") for name, path in files.items() if not Path(path).is_file()]
    if problems:
        raise FileError("settings", problems)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    name = "ca_file"
    try:
        context.load_verify_locations(files[name])
        name = "certificate_file"
        context.load_cert_chain(files[name], files["key_file"])
    except OSError as error:  # ssl.SSLError is one
        raise FileError("settings", [Problem(f"plc.modbus.{name}", files[name], f"must be PEM and fit its key: {error}")]) from error
    return context
