"""``ovenctl pki``: the OPC UA server's certificate and whom it trusts."""

import socket
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.asking import ConfigPath, configured, console

if TYPE_CHECKING:
    from controller.northbound.opcua.pki import Pki, Shown

app = typer.Typer(no_args_is_help=True, help="Certificates of the OPC UA server and of the applications that it trusts.")


def _store(config: Path | None) -> "Pki":
    from controller.northbound.opcua.pki import Pki

    gateway = configured(config).gateway
    return Pki(Path(gateway.state_dir) / gateway.opcua.pki_dir)


@app.command()
def init(
    host: Annotated[str, typer.Option(help="name or address under which clients reach this machine")] = "",
    config: ConfigPath = None,
) -> None:
    """Make folders, the server's own certificate, its key and the key of recipe approvals, as far as they are missing."""
    from controller.northbound.opcua import pki

    at, name = _store(config), host or socket.gethostname()
    made = pki.init(at, pki.application_uri(name), name)
    for file in (at.signing_key, at.key, at.certificate):
        console.print(f"{file}: {'made' if file in made else 'is there already'}", soft_wrap=True, highlight=False, markup=False)
    _show(pki.listed(at))


@app.command("list")
def list_(config: ConfigPath = None) -> None:
    """Show own, trusted and rejected certificates."""
    from controller.northbound.opcua import pki

    _show(pki.listed(_store(config)))


@app.command()
def trust(
    thumbprint: Annotated[str, typer.Argument(help="of a rejected certificate, or a certificate's file")], config: ConfigPath = None
) -> None:
    """Trust an application: compare the thumbprint with what the application shows first."""
    from controller.northbound.opcua import pki

    shown = pki.trust(_store(config), thumbprint)
    console.print(f"trusted: {shown.thumbprint} {shown.subject} {shown.uri}", highlight=False, markup=False)


@app.command()
def distrust(thumbprint: str, config: ConfigPath = None) -> None:
    """Trust an application no more; its open sessions end with the gateway's restart."""
    from controller.northbound.opcua import pki

    pki.distrust(_store(config), thumbprint)
    console.print(f"rejected: {thumbprint}", highlight=False, markup=False)


def _show(found: "Iterable[Shown]") -> None:
    for one in found:
        until = f"{one.until} {one.untimely.upper()}".rstrip()
        line = f"{one.where:9} {one.thumbprint}  until {until}  {one.uri}  {one.subject}"
        console.print(line, soft_wrap=True, highlight=False, markup=False)
