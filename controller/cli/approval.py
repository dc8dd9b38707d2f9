"""``ovenctl recipe`` with an approval: the library's steps, keys of approvers, and files that are signed without a library."""

import getpass
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from controller.cli.asking import Asker, ConfigPath, accepted, configured, console
from controller.cli.recipe import app
from controller.clock import wall_ns
from controller.config import Config
from controller.errors import FileError, Problem
from controller.recipe.states import Verb

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from controller.northbound.library import Library

SUFFIX = ".approval"  # of the file beside a recipe that holds its approval
_Key = Annotated[Path | None, typer.Option(help="private Ed25519 key, PEM; the gateway's without")]
_Reason = Annotated[str, typer.Option(help="goes into the library")]
_Revision = Annotated[str, typer.Argument(help="ID/REVISION, as `ovenctl recipe list` shows it")]


@app.command()
def upload(file: Path, user: Asker = None, config: ConfigPath = None) -> None:
    """Take a recipe file into the library as a draft (engineer): checked against the oven and run on the model."""
    from controller.recipe.reading import read_recipe

    who, settings = _engineer(configured(config), user), configured(config)
    stored = _library(settings).upload(file.name, read_recipe(file).text, who)
    _say(f"{stored.recipe}/{stored.revision} is draft: {stored.verdict}, sha256 {stored.sha256}")


@app.command("list")
def list_(config: ConfigPath = None) -> None:
    """List the library's revisions."""
    table = Table("recipe", "status", "author", "approver", "sha256", "file")
    for one in _library(configured(config)).listed():
        table.add_row(f"{one.recipe}/{one.revision}", one.status, *map(escape, (one.author, one.approver, one.sha256[:16], one.name)))
    console.print(table)


@app.command()
def submit(revision: _Revision, reason: _Reason = "", user: Asker = None, config: ConfigPath = None) -> None:
    """Ask for approval of a draft (engineer)."""
    _move(revision, "SUBMITTED", reason, user, config)


@app.command()
def retire(revision: _Revision, reason: _Reason = "", user: Asker = None, config: ConfigPath = None) -> None:
    """Let an approved revision be started no more (engineer): the core keeps that itself, then the library."""
    from controller.northbound.library import Status

    settings, (recipe, number) = configured(config), _named(revision)
    library, who = _library(settings), _engineer(settings, user)
    library.may_move(recipe, number, Status.RETIRED)
    if not accepted(settings, Verb.RETIRE, who, {"recipe": recipe, "revision": number, "reason": reason}, None):
        raise typer.Exit(1)
    library.move(recipe, number, Status.RETIRED, who, reason)
    _say(f"{revision} is retired")


@app.command()
def approve(revision: _Revision, reason: _Reason = "", user: Asker = None, key: _Key = None, config: ConfigPath = None) -> None:
    """Approve a submitted revision and sign it (engineer, not its author)."""
    from controller.northbound.library import Status

    settings = configured(config)
    _library(settings, _private(settings, key)).move(*_named(revision), Status.APPROVED, _engineer(settings, user), reason)
    _say(f"{revision} is approved")


@app.command()
def key(
    new: Annotated[Path | None, typer.Option(help="make a key in this new file")] = None, key: _Key = None, config: ConfigPath = None
) -> None:
    """Show an approver's public key as a line for settings.approval.keys in controller.toml."""
    from controller.northbound.opcua import pki

    if new is not None:
        pki.new_signing_key(new)
    found = pki.signing_key_in(new) if new is not None else _private(configured(config), key)
    name = (new or key or Path("gateway")).stem
    _say(f'{name} = "{found.public_key().public_bytes_raw().hex()}"')


@app.command()
def sign(
    file: Path,
    author: Annotated[str, typer.Option(help="who wrote it; another person than who signs")],
    key: _Key = None,
    user: Asker = None,
    config: ConfigPath = None,
) -> None:
    """Approve a recipe file without the library: writes FILE.approval, which `ovenctl batch start FILE` sends with it."""
    from controller.recipe import approval
    from controller.recipe.reading import read_recipe

    settings = configured(config)
    sourced, who = read_recipe(file), user or getpass.getuser()
    if who == author:
        raise FileError(str(file), [Problem("author", author, "another person than the one who signs")])
    recipe = sourced.recipe
    given = approval.sign(_private(settings, key), recipe.id, recipe.revision, sourced.sha256, author, who, wall_ns())
    out = file.with_name(file.name + SUFFIX)
    try:
        with out.open("x", encoding="utf-8") as fresh:
            fresh.write(json.dumps(given._asdict(), indent=1) + "\n")
    except FileExistsError:
        raise FileError(str(out), [Problem("file", "is there already", "a new file; move the old approval away first")]) from None
    _say(f"{out}: {recipe.id} rev {recipe.revision} approved by {who}, sha256 {sourced.sha256}")


def brought(config: Config, recipe: str, formula: dict[str, float], approval: Path | None) -> dict[str, Any]:
    """Return what START brings of a recipe: a file with the approval beside it, or ID/REVISION of the library.

    Raises:
        FileError: the file, its approval or a formula value is wrong.
        LibraryError: the revision is not approved.
    """
    from controller.recipe.reading import parse_recipe, read_recipe

    file = Path(recipe)
    if not file.exists() and recipe.count("/") == 1 and recipe.rpartition("/")[2].isdecimal():
        found = _library(config).approved(*_named(recipe))
        parse_recipe(found.text, recipe, formula)
        return {"recipe": found.text, "formula": formula, "approval": found.approval._asdict()}
    args: dict[str, Any] = {"recipe": read_recipe(file, formula).text, "formula": formula}  # with the sub-recipes that it calls
    beside = approval or file.with_name(file.name + SUFFIX)
    if approval is not None or beside.exists():
        args["approval"] = _read(beside)
    return args


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise FileError(str(path), [Problem("file", str(error), "must be an approval as `ovenctl recipe sign` writes it")]) from error


def _move(revision: str, to: str, reason: str, user: str | None, config: Path | None) -> None:
    from controller.northbound.library import Status

    settings, status = configured(config), Status[to]
    _library(settings).move(*_named(revision), status, _engineer(settings, user), reason)
    _say(f"{revision} is {status}")


def _library(config: Config, key: "Ed25519PrivateKey | None" = None) -> "Library":
    from controller.northbound.library import Library
    from controller.northbound.opcua.recipes import examiner

    folder = Path(config.gateway.state_dir)
    folder.mkdir(parents=True, exist_ok=True)
    return Library(folder / config.gateway.opcua.library_file, key, examiner(config.settings))


def _private(config: Config, key: Path | None) -> "Ed25519PrivateKey":
    from controller.northbound.opcua import pki

    gateway = config.gateway
    return pki.signing_key_in(key or pki.Pki(Path(gateway.state_dir) / gateway.opcua.pki_dir).signing_key)


def _engineer(config: Config, user: str | None) -> str:
    """Return who asks; raise FileError unless the site's file says that it is an engineer."""
    name = user or getpass.getuser()
    role = config.core.roles.get(name, "operator")
    if role not in ("engineer", "admin"):
        raise FileError("controller.toml", [Problem(f"core.roles.{name}", role, "engineer or admin, as over OPC UA")])
    return name


def _named(revision: str) -> tuple[str, int]:
    recipe, _, number = revision.rpartition("/")
    if not recipe or not number.isdecimal():
        raise FileError("recipe", [Problem("revision", revision, "ID/REVISION, for example vacuum/3")])
    return recipe, int(number)


def _say(text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
