"""Who may log in: a TOML file of people with a role, a password hashed with scrypt, and the thumbprints of their own certificates."""

import base64
import hashlib
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field, StringConstraints, ValidationError

from controller.equipment import Strict
from controller.errors import FileError, Problem
from controller.roles import Role
from controller.validation import problems_of, read_toml

COST: Final = 2**15  # scrypt n; with r = 8 one try takes 32 MiB and some 80 ms
_R: Final = 8
_MEMORY: Final = 64 * 1024 * 1024
LEAST_LENGTH: Final = 10  # characters of a password
MOST_LENGTH: Final = 200
DELAY_FROM: Final = 3  # failures after which a user or an address waits
_LONGEST_S: Final = 300.0
_REMEMBERED: Final = 1000  # users and addresses with failures

UserName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._@-]{1,64}$")]
_Print = Annotated[str, StringConstraints(pattern=r"^[0-9A-F]{40}$")]
_Hash = Annotated[str, StringConstraints(pattern=r"^scrypt\$[0-9]{1,8}\$[A-Za-z0-9+/=]{16,64}\$[A-Za-z0-9+/=]{32,128}$")]
RoleName = Literal["viewer", "operator", "engineer", "admin"]


class Account(Strict):
    """One person."""

    role: RoleName
    password: _Hash | None = None
    certificates: Annotated[tuple[_Print, ...], Field(strict=False, max_length=8)] = ()


class _File(Strict):
    user: Annotated[dict[UserName, Account], Field(max_length=500)] = Field(default_factory=dict)


class Person(NamedTuple):
    """Somebody who is logged in."""

    name: str
    role: Role


def read(path: Path) -> dict[str, Account]:
    """Return the accounts in ``path``, none when there is no file.

    Raises:
        FileError: every mistake in it.
    """
    if not path.exists():
        return {}
    try:
        return _File.model_validate(read_toml(path)).user
    except ValidationError as error:
        raise FileError(str(path), problems_of(error, tuple(Account.model_fields))) from error


def checked(path: Path, accounts: Mapping[str, object]) -> dict[str, Account]:
    """Return ``accounts``, some of them as a person has entered them.

    Raises:
        FileError: every mistake in them.
    """
    plain = {name: one.model_dump(mode="json") if isinstance(one, Account) else one for name, one in accounts.items()}
    try:
        return _File.model_validate({"user": plain}).user
    except ValidationError as error:
        raise FileError(str(path), problems_of(error, tuple(Account.model_fields))) from error


def write(path: Path, accounts: dict[str, Account]) -> None:
    """Replace the file at once, a link's target for the link; it keeps owner, group and mode. Only its owner may read a new one.

    Raises:
        OSError: the disk does not take it, or the owner cannot be kept; the old file stands.
    """
    text = "# People who may log in over OPC UA. Made by `ovenctl user`; passwords are hashed with scrypt.\n"
    for name, account in sorted(accounts.items()):
        text += f'\n[user."{name}"]\nrole = "{account.role}"\n'
        text += f'password = "{account.password}"\n' if account.password else ""
        text += f"certificates = {list(account.certificates)!r}\n".replace("'", '"') if account.certificates else ""
    target = path.resolve()
    new = target.with_name(f"{target.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            _own(descriptor, target)
            os.fsync(descriptor)
        new.replace(target)
    finally:
        new.unlink(missing_ok=True)


def _own(descriptor: int, target: Path) -> None:
    """Give an open file owner, group and mode of ``target``; where there is none yet, root's belongs to whom the folder does."""
    there = target.exists()
    stands, mine = (target if there else target.parent).stat(), os.fstat(descriptor)
    if (there or os.geteuid() == 0) and (stands.st_uid, stands.st_gid) != (mine.st_uid, mine.st_gid):
        os.fchown(descriptor, stands.st_uid, stands.st_gid)
    if there:
        os.fchmod(descriptor, stat.S_IMODE(stands.st_mode))


def hashed(password: str, cost: int = COST) -> str:
    """Return ``password`` as it stands in the file.

    Raises:
        FileError: it is too short or too long.
    """
    if not LEAST_LENGTH <= len(password) <= MOST_LENGTH:
        raise FileError("password", [Problem("length", len(password), f"{LEAST_LENGTH} to {MOST_LENGTH} characters")])
    salt = secrets.token_bytes(16)
    return f"scrypt${cost}${_text(salt)}${_text(_derived(password, salt, cost))}"


def matches(account: Account | None, password: str) -> bool:
    """Return whether ``password`` is the account's; it takes the same time when there is no account. Takes 80 ms: not on a loop."""
    stored = account.password if account is not None and account.password is not None else _NOBODY
    _, cost, salt, wanted = stored.split("$")
    if not COST >= int(cost) >= 2:
        return False
    found = _derived(password[:MOST_LENGTH], base64.b64decode(salt), int(cost))
    return secrets.compare_digest(found, base64.b64decode(wanted)) and account is not None and account.password is not None


def role_of(account: Account) -> Role:
    """Return the account's role."""
    return Role[account.role.upper()]


class Failures:
    """How often a user or an address failed lately; each further failure doubles the wait, a success forgets the user's."""

    def __init__(self) -> None:
        """Start without any."""
        self._failed: dict[str, tuple[int, float]] = {}  # key -> count, time from which the next try is heard

    def wait_s(self, keys: tuple[str, ...], now_s: float) -> float:
        """Return for how long none of ``keys`` is heard, s; 0: try."""
        return max(0.0, *(self._failed.get(key, (0, now_s))[1] - now_s for key in keys))

    def failed(self, keys: tuple[str, ...], now_s: float) -> None:
        """Count a failure of ``keys``."""
        for key in keys:
            count = self._failed.pop(key, (0, 0.0))[0] + 1
            delay_s = 0.0 if count < DELAY_FROM else min(_LONGEST_S, 2.0 ** (count - DELAY_FROM))
            self._failed[key] = (count, now_s + delay_s)
        while len(self._failed) > _REMEMBERED:
            self._failed.pop(next(iter(self._failed)))

    def passed(self, keys: tuple[str, ...]) -> None:
        """Forget the failures of ``keys``."""
        for key in keys:
            self._failed.pop(key, None)


def _derived(password: str, salt: bytes, cost: int) -> bytes:
    return hashlib.scrypt(password.encode("utf-8", "replace"), salt=salt, n=cost, r=_R, p=1, maxmem=_MEMORY, dklen=32)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


_NOBODY: Final = f"scrypt${COST}${_text(bytes(16))}${_text(bytes(32))}"
