"""The wire of the demo: how the soft PLC is started and what the controller's configuration says of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, NamedTuple

from sim.broker import free_port
from sim.line import joined
from sim.station import certificates

Kind = Literal["tcp", "tls", "rtu", "opcua"]
RATES: Final[dict[Kind, float]] = {"tcp": 115.0, "tls": 115.0, "rtu": 60.0, "opcua": 60.0}  # process seconds a second that each can follow


class Wire(NamedTuple):
    """One wire, ready to use."""

    where: str  # for a person
    port: int | None  # that the soft PLC listens on
    arguments: tuple[str, ...]  # for ``ovensim plc``
    toml: str  # the configuration's [plc] without ``wiring``, and its sections


@contextmanager
def wire(kind: Kind, folder: Path) -> Iterator[Wire]:
    """Give a wire of ``kind``; a serial line lasts as long as the block, certificates are made in ``folder``/pki."""
    if kind == "rtu":
        with joined() as (theirs, ours):
            settings = f'[plc.modbus]\ntransport = "rtu"\nserial = "{ours}"\nparity = "N"\n'  # a pseudo-terminal has no other
            yield Wire(f"on the line {theirs} - {ours} (Modbus RTU)", None, ("--serial", theirs, "--parity", "N"), settings)
        return
    port, pki = free_port(), folder / "pki"
    address = f"127.0.0.1:{port}"
    if kind == "tcp":
        yield Wire(f"on {address} (Modbus TCP)", port, ("--port", str(port)), f'[plc.modbus]\nhost = "127.0.0.1"\nport = {port}\n')
        return
    certificates(pki)
    arguments = ("--port", str(port), "--pki", str(pki))
    files = 'certificate_file = "pki/core.pem"\nkey_file = "pki/core.key"\n'
    if kind == "tls":
        settings = f'[plc.modbus]\ntransport = "tls"\nhost = "127.0.0.1"\nport = {port}\nca_file = "pki/ca.pem"\n{files}'
        yield Wire(f"on {address} (Modbus/TCP Security)", port, arguments, settings)
        return
    settings = (
        f'wire = "opcua"\n[plc.opcua]\nurl = "opc.tcp://{address}"\npublish_s = 0.005\n{files}server_certificate_file = "pki/plc.pem"\n'
    )
    yield Wire(f"on {address} (OPC UA, Basic256Sha256)", port, (*arguments, "--opcua"), settings)
