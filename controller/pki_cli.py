"""``ovenctl pki`` and ``ovenctl user``: the OPC UA server's certificate, whom it trusts, and who may log in."""

import getpass
import socket
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from controller.config import Config
from controller.errors import FileError, Problem
from controller.roles import Role

if TYPE_CHECKING:
    from controller.northbound.opcua.pki import Pki, Shown

ConfigOf = Callable[[Path | None], Config]
_ConfigPath = Annotated[
    Path | None, typer.Option("--config", "-c", envvar="OVENCTL_CONFIG", help="controller.toml; built-in defaults without")
]
_ROLES = tuple(role.name.lower() for role in Role)
console = Console()


def pki_app(config_of: ConfigOf) -> typer.Typer:
    """Return ``ovenctl pki``; ``config_of`` loads the configuration."""
    app = typer.Typer(no_args_is_help=True, help="Certificates of the OPC UA server and of the applications that it trusts.")

    def store(config: Path | None) -> "Pki":
        from controller.northbound.opcua.pki import Pki

        gateway = config_of(config).gateway
        return Pki(Path(gateway.state_dir) / gateway.opcua.pki_dir)

    @app.command()
    def init(
        host: Annotated[str, typer.Option(help="name or address under which clients reach this machine")] = "",
        config: _ConfigPath = None,
    ) -> None:
        """Make folders, the server's own certificate, its key and the key of recipe approvals. Does nothing when they are there."""
        from controller.northbound.opcua import pki

        at, name = store(config), host or socket.gethostname()
        made = pki.init(at, pki.application_uri(name), name)
        console.print(f"{at.certificate}: {'made' if made else 'is there already'}", highlight=False, markup=False)
        _show(pki.listed(at))

    @app.command("list")
    def list_(config: _ConfigPath = None) -> None:
        """Show own, trusted and rejected certificates."""
        from controller.northbound.opcua import pki

        _show(pki.listed(store(config)))

    @app.command()
    def trust(
        thumbprint: Annotated[str, typer.Argument(help="of a rejected certificate, or a certificate's file")], config: _ConfigPath = None
    ) -> None:
        """Trust an application: compare the thumbprint with what the application shows first."""
        from controller.northbound.opcua import pki

        shown = pki.trust(store(config), thumbprint)
        console.print(f"trusted: {shown.thumbprint} {shown.subject} {shown.uri}", highlight=False, markup=False)

    @app.command()
    def distrust(thumbprint: str, config: _ConfigPath = None) -> None:
        """Trust an application no more; its open sessions end with the gateway's restart."""
        from controller.northbound.opcua import pki

        pki.distrust(store(config), thumbprint)
        console.print(f"rejected: {thumbprint}", highlight=False, markup=False)

    return app


def user_app(config_of: ConfigOf) -> typer.Typer:
    """Return ``ovenctl user``; ``config_of`` loads the configuration."""
    app = typer.Typer(no_args_is_help=True, help="People who may log in over OPC UA.")

    def file(config: Path | None) -> Path:
        gateway = config_of(config).gateway
        return Path(gateway.state_dir) / gateway.opcua.users_file

    @app.command()
    def add(
        name: str,
        role: Annotated[str, typer.Argument(help=", ".join(_ROLES))],
        certificate: Annotated[list[str] | None, typer.Option(help="thumbprint of the person's own certificate; repeatable")] = None,
        password: Annotated[bool, typer.Option(help="ask for a password; from standard input when that is no terminal")] = True,
        config: _ConfigPath = None,
    ) -> None:
        """Add a person, or give one another role, password or certificates."""
        from controller.northbound.opcua import users

        path = file(config)
        if role not in _ROLES:
            raise FileError(str(path), [Problem("role", role, f"one of {', '.join(_ROLES)}")])
        path.parent.mkdir(parents=True, exist_ok=True)
        prints = [one.replace(":", "").replace(" ", "").upper() for one in certificate or []]
        given = {"role": role, "certificates": prints, "password": users.hashed(_password()) if password else None}
        users.write(path, users.checked(path, {**users.read(path), name: given}))
        console.print(f"{name} is {role}", highlight=False, markup=False)

    @app.command()
    def remove(name: str, config: _ConfigPath = None) -> None:
        """Take a person out; open sessions end with their own end."""
        from controller.northbound.opcua import users

        path = file(config)
        accounts = users.read(path)
        if name not in accounts:
            raise FileError(str(path), [Problem("user", name, f"one of {', '.join(accounts) or 'nobody yet'}")])
        users.write(path, {one: account for one, account in accounts.items() if one != name})
        console.print(f"{name} is removed", highlight=False, markup=False)

    @app.command("list")
    def list_(config: _ConfigPath = None) -> None:
        """Show who may log in and how."""
        from controller.northbound.opcua import users

        table = Table("user", "role", "password", "certificates")
        for name, account in sorted(users.read(file(config)).items()):
            table.add_row(name, account.role, "yes" if account.password else "no", " ".join(account.certificates))
        console.print(table)

    return app


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first, second = getpass.getpass("password: "), getpass.getpass("once more: ")
    if first != second:
        raise FileError("password", [Problem("password", "two different ones", "the same twice")])
    return first


def _show(found: "Iterable[Shown]") -> None:
    for one in found:
        line = f"{one.where:9} {one.thumbprint}  until {one.until}  {one.uri}  {one.subject}"
        console.print(line, soft_wrap=True, highlight=False, markup=False)
