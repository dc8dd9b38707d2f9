"""The recipe store: an append-only file in which every upload, every step of its life and every refusal stays.

A revision goes from draft over submitted and approved to retired; a draft may be removed, which only says so. Revisions of one recipe only
grow. Approval needs a second person and is signed with Ed25519 over who, what and when; the signature and the text are checked every time
a recipe is handed out to be run.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.clock import wall_ns
from controller.errors import FileError, OvenctlError, Problem
from controller.northbound import refusals
from controller.northbound.refusals import Refused
from controller.recipe import approval
from controller.recipe.approval import Approval
from controller.recipe.reading import MAX_BYTES, SourcedRecipe, parse_recipe

MOST_UPLOADS: Final = 30  # of one person in a minute
_MINUTE_NS: Final = 60_000_000_000
MOST_REVISIONS: Final = 10_000
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS revision (recipe TEXT NOT NULL, revision INTEGER NOT NULL, name TEXT NOT NULL, text TEXT NOT NULL,
    canonical TEXT NOT NULL, sha256 TEXT NOT NULL, author TEXT NOT NULL, receipt TEXT NOT NULL, wall_ns INTEGER NOT NULL,
    PRIMARY KEY (recipe, revision)) STRICT;
CREATE TABLE IF NOT EXISTS step (seq INTEGER PRIMARY KEY AUTOINCREMENT, recipe TEXT NOT NULL, revision INTEGER NOT NULL, step TEXT NOT NULL,
    user TEXT NOT NULL, wall_ns INTEGER NOT NULL, signature BLOB NOT NULL DEFAULT x'', why TEXT NOT NULL DEFAULT '') STRICT;
CREATE TRIGGER IF NOT EXISTS revision_stays BEFORE UPDATE ON revision BEGIN SELECT RAISE(ABORT, 'the library is append-only'); END;
CREATE TRIGGER IF NOT EXISTS revision_is_kept BEFORE DELETE ON revision BEGIN SELECT RAISE(ABORT, 'the library is append-only'); END;
CREATE TRIGGER IF NOT EXISTS step_stays BEFORE UPDATE ON step BEGIN SELECT RAISE(ABORT, 'the library is append-only'); END;
CREATE TRIGGER IF NOT EXISTS step_is_kept BEFORE DELETE ON step BEGIN SELECT RAISE(ABORT, 'the library is append-only'); END;
"""


class Status(StrEnum):
    """Where a revision stands."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    RETIRED = "retired"
    REMOVED = "removed"


_AFTER: Final = {  # status -> from which it may be reached
    Status.SUBMITTED: Status.DRAFT,
    Status.APPROVED: Status.SUBMITTED,
    Status.RETIRED: Status.APPROVED,
    Status.REMOVED: Status.DRAFT,
}


class LibraryError(OvenctlError):
    """A recipe was not taken or not handed out; the text says why and what is allowed."""


class Listed(NamedTuple):
    """One revision of the list. ``approver`` is "" before approval."""

    recipe: str
    revision: int
    status: Status
    sha256: str
    author: str
    approver: str
    name: str
    wall_ns: int


class Stored(NamedTuple):
    """What an upload became."""

    recipe: str
    revision: int
    sha256: str
    verdict: str
    receipt: str


class Approved(NamedTuple):
    """What may be started: the text as it was uploaded, and who approved it."""

    text: str
    approval: Approval


class Library:
    """The store in one file; every call opens it anew, takes one transaction and may block on the disk."""

    def __init__(self, path: Path, key: Ed25519PrivateKey | None, examine: Callable[[SourcedRecipe], tuple[str, str]]) -> None:
        """Remember file and key of approvals.

        Args:
            path: of the store.
            key: None at the box's command line: nothing can be approved, and what is handed out only the core verifies.
            examine: says verdict and receipt of a readable recipe, FileError when it is unfit.
        """
        self._path = path
        self._key = key
        self._examine = examine

    @property
    def public_key(self) -> bytes:
        """Return the key with which approvals are verified, empty without one."""
        return b"" if self._key is None else self._key.public_key().public_bytes_raw()

    def upload(self, name: str, content: str, user: str) -> Stored:
        """Take ``content`` as a draft; what is refused is kept as evidence.

        Raises:
            FileError: every mistake in it.
            LibraryError: the revision is not new, or too many uploads came.
        """
        self._slow_down(user)
        try:
            sourced = parse_recipe(content, name)
            with self._open() as store:
                self._check_new(store, sourced, user)
            verdict, receipt = self._examine(sourced)
        except (FileError, LibraryError) as error:
            self._keep(name, content, user, str(error))
            raise
        except (ValueError, TypeError, ArithmeticError, RecursionError, KeyError, AttributeError) as error:  # hostile text in a parser
            self._keep(name, content, user, type(error).__name__)
            raise FileError(name, [Problem("content", type(error).__name__, "a recipe in TOML")]) from None
        recipe = sourced.recipe
        with self._open() as store:
            same = self._check_new(store, sourced, user)
            if not same:
                values = (recipe.id, recipe.revision, name, content, recipe.model_dump_json(), sourced.sha256, user, receipt, wall_ns())
                store.execute("INSERT INTO revision VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
                _step(store, recipe.id, recipe.revision, Status.DRAFT, user)
        return Stored(recipe.id, recipe.revision, sourced.sha256, verdict, receipt)

    def upload_bytes(self, name: str, content: bytes, user: str) -> Stored:
        """Take the bytes of a file as ``upload`` does; what is no UTF-8 is refused and kept."""
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            problem = Problem("content", f"byte {content[error.start]:#04x} at {error.start}", "a recipe in TOML, UTF-8 without errors")
            refused = FileError(name, [problem])
            self._slow_down(user)
            self._keep(name, content, user, str(refused))
            raise refused from None
        return self.upload(name, text, user)

    def listed(self) -> list[Listed]:
        """Return all revisions, by recipe and revision."""
        with self._open() as store:
            rows = store.execute(
                "SELECT recipe, revision, sha256, author, name, wall_ns FROM revision ORDER BY recipe, revision"
            ).fetchall()
            return [
                Listed(
                    recipe, revision, *_status(store, recipe, revision)[:1], sha256, author, _status(store, recipe, revision)[1], name, at
                )
                for recipe, revision, sha256, author, name, at in rows
            ]

    def text(self, recipe: str, revision: int) -> str:
        """Return the text of a revision as it was uploaded, whatever its status. Raises LibraryError."""
        with self._open() as store:
            return str(_row(store, recipe, revision)[0])

    def move(self, recipe: str, revision: int, to: Status, user: str, why: str = "") -> None:
        """Submit, approve, retire or remove a revision.

        Raises:
            LibraryError: it does not stand where it would have to, or the author would approve.
        """
        with self._open() as store:
            text, sha256, author = _able(store, recipe, revision, to)
            signature, at_ns = b"", wall_ns()
            if to is Status.APPROVED:
                if self._key is None:
                    raise LibraryError("nothing can be approved without the key of approvals")
                if user == author:
                    raise LibraryError(f"{recipe}/{revision} was written by {author}; another user approves it")
                self._check_text(recipe, revision, text, sha256)
                signature = bytes.fromhex(approval.sign(self._key, recipe, revision, sha256, author, user, at_ns).signature)
            _step(store, recipe, revision, to, user, signature, why, at_ns)

    def may_move(self, recipe: str, revision: int, to: Status) -> None:
        """Return when a revision stands where it would have to for ``move``. Raises LibraryError."""
        with self._open() as store:
            _able(store, recipe, revision, to)

    def approved(self, recipe: str, revision: int) -> Approved:
        """Return an approved revision, its hash and its signature verified; the core verifies both again.

        Raises:
            LibraryError: it is not approved, or it is not what was approved.
        """
        with self._open() as store:
            text, sha256, author = _row(store, recipe, revision)
            status, _ = _status(store, recipe, revision)
            if status is not Status.APPROVED:
                raise LibraryError(f"{recipe}/{revision} is {status}; only an approved recipe can be started")
            user, at_ns, signature = store.execute(
                "SELECT user, wall_ns, signature FROM step WHERE recipe = ? AND revision = ? AND step = 'approved' ORDER BY seq DESC",
                (recipe, revision),
            ).fetchone()
        given = Approval(author, user, at_ns, bytes(signature).hex())
        if self._key is not None and not approval.verifies(self.public_key, recipe, revision, sha256, given):
            raise LibraryError(f"{recipe}/{revision}: the signature of the approval by {user} does not verify")
        self._check_text(recipe, revision, text, sha256)
        return Approved(str(text), given)

    def evidence(self) -> list[tuple[str, str, str]]:
        """Return name, user and reason of every refused upload, oldest first."""
        return [(one.name, one.user, one.why) for one in self.refused()]

    def refused(self) -> list[Refused]:
        """Return every refused upload that is kept, oldest first, with as much of its content as is kept."""
        with self._open() as store:
            return refusals.kept(store)

    def beyond(self) -> dict[str, int]:
        """Return by user how many refused uploads came after the store of refusals was full."""
        with self._open() as store:
            return refusals.beyond(store)

    def _check_new(self, store: sqlite3.Connection, sourced: SourcedRecipe, user: str) -> bool:
        """Return whether just this is there as the user's draft already; raise unless it is new."""
        recipe = sourced.recipe
        if store.execute("SELECT count(*) FROM revision").fetchone()[0] >= MOST_REVISIONS:
            raise LibraryError(f"the library is full: {MOST_REVISIONS} revisions are allowed")
        newest = store.execute("SELECT max(revision) FROM revision WHERE recipe = ?", (recipe.id,)).fetchone()[0]
        if newest is None or recipe.revision > newest:
            return False
        known = store.execute(
            "SELECT sha256, author FROM revision WHERE recipe = ? AND revision = ?", (recipe.id, recipe.revision)
        ).fetchone()
        if known == (sourced.sha256, user) and _status(store, recipe.id, recipe.revision)[0] is Status.DRAFT:
            return True
        raise LibraryError(f"revision = {recipe.revision}: the library has {recipe.id} up to {newest}; a new one must be above")

    def _check_text(self, recipe: str, revision: int, text: str, sha256: str) -> None:
        try:
            found = parse_recipe(text, f"{recipe}/{revision}")
        except FileError as error:
            raise LibraryError(f"{recipe}/{revision}: what is stored is no recipe of this release: {error}") from error
        if (found.sha256, found.recipe.id, found.recipe.revision) != (sha256, recipe, revision):
            raise LibraryError(
                f"{recipe}/{revision}: the stored text is not the one with SHA-256 {sha256[:16]}; it was changed after approval"
            )

    def _slow_down(self, user: str) -> None:
        since = wall_ns() - _MINUTE_NS
        with self._open() as store:
            taken = store.execute("SELECT count(*) FROM revision WHERE author = ? AND wall_ns > ?", (user, since)).fetchone()[0]
            taken += store.execute("SELECT count(*) FROM refused WHERE user = ? AND wall_ns > ?", (user, since)).fetchone()[0]
        if taken >= MOST_UPLOADS:
            raise LibraryError(f"too many uploads: {MOST_UPLOADS} a minute are allowed")

    def _keep(self, name: str, content: str | bytes, user: str, why: str) -> None:
        raw = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
        head = raw if len(raw) <= MAX_BYTES else raw[: refusals.HEAD]
        self.keep_refused(name, user, len(raw), hashlib.sha256(raw).hexdigest(), head, why)

    def keep_refused(self, name: str, user: str, size: int, sha256: str, head: bytes, why: str) -> None:
        """Keep what was refused as evidence: its hash, size, user, time and as much of its ``head`` as the store has room for."""
        with self._open() as store:
            refusals.keep(store, Refused(name, user, size, sha256, head, why, wall_ns()))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            store = sqlite3.connect(self._path, timeout=5.0, isolation_level=None)
        except sqlite3.Error as error:
            raise LibraryError(f"{self._path}: the library cannot be opened: {error}") from error
        try:
            store.execute("PRAGMA synchronous = FULL")
            if not store.execute("SELECT count(*) FROM sqlite_master WHERE name = 'beyond'").fetchone()[0]:
                store.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} {refusals.SCHEMA} COMMIT;")
            store.execute("BEGIN IMMEDIATE")
            yield store
            store.execute("COMMIT")
        except sqlite3.Error as error:
            raise LibraryError(f"{self._path}: the library cannot be used: {error}") from error
        finally:
            store.close()


def _row(store: sqlite3.Connection, recipe: str, revision: int) -> tuple[str, str, str]:
    found = store.execute("SELECT text, sha256, author FROM revision WHERE recipe = ? AND revision = ?", (recipe, revision)).fetchone()
    if found is None:
        known = [f"{one}/{number}" for one, number in store.execute("SELECT recipe, revision FROM revision ORDER BY wall_ns DESC LIMIT 10")]
        raise LibraryError(f"{recipe}/{revision} is not in the library; the newest: {', '.join(known) or 'none'}")
    return str(found[0]), str(found[1]), str(found[2])


def _able(store: sqlite3.Connection, recipe: str, revision: int, to: Status) -> tuple[str, str, str]:
    row = _row(store, recipe, revision)
    status, _ = _status(store, recipe, revision)
    if status is not _AFTER[to]:
        raise LibraryError(f"{recipe}/{revision} is {status}; only what is {_AFTER[to]} can be {to}")
    return row


def _status(store: sqlite3.Connection, recipe: str, revision: int) -> tuple[Status, str]:
    """Return where a revision stands and who approved it."""
    steps = store.execute("SELECT step, user FROM step WHERE recipe = ? AND revision = ? ORDER BY seq", (recipe, revision)).fetchall()
    return Status(steps[-1][0]), next((user for step, user in reversed(steps) if step == Status.APPROVED), "")


def _step(
    store: sqlite3.Connection, recipe: str, revision: int, to: Status, user: str, signature: bytes = b"", why: str = "", at_ns: int = 0
) -> None:
    store.execute(
        "INSERT INTO step (recipe, revision, step, user, wall_ns, signature, why) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (recipe, revision, to.value, user, at_ns or wall_ns(), signature, why[:400]),
    )
