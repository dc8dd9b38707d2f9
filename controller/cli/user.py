"""``ovenctl user``: who may log in over OPC UA."""

import getpass
import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table

from controller.cli.asking import ConfigPath, configured, console
from controller.errors import FileError, Problem
from controller.roles import Role

_ROLES: Final = tuple(role.name.lower() for role in Role)
app = typer.Typer(no_args_is_help=True, help="People who may log in over OPC UA.")


def _file(config: Path | None) -> Path:
    gateway = configured(config).gateway
    return Path(gateway.state_dir) / gateway.opcua.users_file


@app.command()
def add(
    name: str,
    role: Annotated[str, typer.Argument(help=", ".join(_ROLES))],
    certificate: Annotated[
        list[str] | None, typer.Option(help="thumbprint of the person's own certificate; repeatable; these for those of before")
    ] = None,
    password: Annotated[
        bool, typer.Option(help="ask for a password, on standard input when that is no terminal; else one that is there stays")
    ] = True,
    config: ConfigPath = None,
) -> None:
    """Add a person, or give one another role, password or certificates; what is not given stays."""
    from controller.northbound.opcua import users

    path = _file(config)
    if role not in _ROLES:
        raise FileError(str(path), [Problem("role", role, f"one of {', '.join(_ROLES)}")])
    path.parent.mkdir(parents=True, exist_ok=True)
    prints = [one.replace(":", "").replace(" ", "").upper() for one in certificate or []]
    accounts = users.read(path)
    given: dict[str, object] = accounts[name].model_dump(mode="json") if name in accounts else {}
    given |= {"role": role} | ({"certificates": prints} if prints else {})
    given |= {"password": users.hashed(_password())} if password else {}
    accounts = users.checked(path, {**accounts, name: given})
    if accounts[name].password is None and not accounts[name].certificates:
        raise FileError(str(path), [Problem("user", name, "a password or --certificate: with neither nobody can log in")])
    users.write(path, accounts)
    console.print(f"{name} is {role}", highlight=False, markup=False)


@app.command()
def remove(name: str, config: ConfigPath = None) -> None:
    """Take a person out; open sessions end with their own end."""
    from controller.northbound.opcua import users

    path = _file(config)
    accounts = users.read(path)
    if name not in accounts:
        raise FileError(str(path), [Problem("user", name, f"one of {', '.join(accounts) or 'nobody yet'}")])
    users.write(path, {one: account for one, account in accounts.items() if one != name})
    console.print(f"{name} is removed", highlight=False, markup=False)


@app.command("list")
def list_(config: ConfigPath = None) -> None:
    """Show who may log in and how."""
    from controller.northbound.opcua import users

    table = Table("user", "role", "password", "certificates")
    for name, account in sorted(users.read(_file(config)).items()):
        table.add_row(name, account.role, "yes" if account.password else "no", " ".join(account.certificates))
    console.print(table)


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first, second = getpass.getpass("password: "), getpass.getpass("once more: ")
    if first != second:
        raise FileError("password", [Problem("password", "two different ones", "the same twice")])
    return first
