"""Approval of a recipe: who approved what and when, signed with Ed25519, and whose approvals this oven believes.

Everything in here is a function of its arguments. What is signed is the canonical hash of the recipe with its formula as written, so that
an operator may set the formula inside its signed ranges.
"""

import json
from typing import Annotated, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import Field, StringConstraints

from controller.equipment import Strict

_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
_Key = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class ApprovalSettings(Strict):
    """Whose approvals this core believes. With a key, only recipes that it approved can be started."""

    keys: Annotated[
        dict[_Name, _Key], Field(max_length=16, description="public Ed25519 keys of approvals by name, hex; `ovenctl recipe key` shows one")
    ] = Field(default_factory=dict)
    revoked: Annotated[
        tuple[_Name, ...], Field(strict=False, max_length=16, description="names of keys that are believed no more; what runs is held")
    ] = ()
    unsigned: Annotated[
        bool | None, Field(description="recipes without an approval may be started; without this key: only while there are no keys")
    ] = None
    edits: Annotated[
        bool, Field(description="true: an engineer may edit the control recipe of an approved one; each edit is recorded and checked")
    ] = True
    older: Annotated[bool, Field(description="true: an approved revision below one that was started may be started again")] = False

    @property
    def required(self) -> bool:
        """Return whether a recipe must be approved to be started."""
        return bool(self.keys) if self.unsigned is None else not self.unsigned


class Approval(NamedTuple):
    """One approval. ``signature`` is hex; ``wall_ns`` its time."""

    author: str
    approver: str
    wall_ns: int
    signature: str


class Verified(NamedTuple):
    """What was found when an approval was checked: the name of the key, "" for a recipe without one, and a sentence for people."""

    key: str
    said: str


class NotApproved(ValueError):  # noqa: N818 (a finding, told to a person)
    """The recipe is not approved as this oven wants it; the text says why."""


def sign(key: Ed25519PrivateKey, recipe_id: str, revision: int, sha256: str, author: str, approver: str, wall_ns: int) -> Approval:
    """Return the approval of one revision, signed."""
    return Approval(author, approver, wall_ns, key.sign(_signed(recipe_id, revision, sha256, author, approver, wall_ns)).hex())


def verifies(key: bytes, recipe_id: str, revision: int, sha256: str, approval: Approval) -> bool:
    """Return whether ``approval`` was signed with the private half of ``key`` (32 bytes) for just this revision and hash."""
    try:
        signature = bytes.fromhex(approval.signature)
        signed = _signed(recipe_id, revision, sha256, approval.author, approval.approver, approval.wall_ns)
        Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
    except (InvalidSignature, ValueError):
        return False
    return True


def verified(settings: ApprovalSettings, recipe_id: str, revision: int, sha256: str, approval: Approval | None) -> Verified:
    """Return by whom a revision with this canonical hash is approved.

    Raises:
        NotApproved: by nobody whom this oven believes, and it wants an approval; or an approval came that does not verify.
    """
    name = f"{recipe_id} rev {revision}"
    if approval is None:
        if settings.required:
            raise NotApproved(f"{name} carries no approval; this oven runs approved recipes only (settings.approval)")
        why = "settings.approval.unsigned = true" if settings.keys else "this oven has no approver keys"
        return Verified("", f"recipe not signed: {why}")
    if approval.author == approval.approver:
        raise NotApproved(f"{name} was approved by its author {approval.author}; another person approves it")
    signer = next((who for who, key in settings.keys.items() if verifies(bytes.fromhex(key), recipe_id, revision, sha256, approval)), None)
    if signer is not None and signer not in settings.revoked:
        return Verified(signer, f"recipe approved by {approval.approver}, key {signer}")
    if signer is not None:
        raise NotApproved(f"{name} was approved with the key {signer}, which is revoked (settings.approval.revoked)")
    if not settings.keys and not settings.required:
        return Verified("", f"approval by {approval.approver} not checked: this oven has no approver keys")
    raise NotApproved(
        f"the approval by {approval.approver} does not verify for {name} with SHA-256 {sha256[:16]}: "
        f"the recipe was changed after approval, or the key is none of {', '.join(settings.keys) or '(no keys)'}"
    )


def older(settings: ApprovalSettings, started: tuple[tuple[str, int], ...], recipe_id: str, revision: int) -> str:
    """Return why a revision is too old for an oven that has ``started`` these approved ones, "" when it is not."""
    newest = max((one for name, one in started if name == recipe_id), default=0)
    if settings.older or revision >= newest:
        return ""
    return f"revision = {revision}: revision {newest} of {recipe_id} has been started here; settings.approval.older allows to go back"


def _signed(recipe_id: str, revision: int, sha256: str, author: str, approver: str, at_ns: int) -> bytes:
    said = {"recipe": recipe_id, "revision": revision, "sha256": sha256, "author": author, "approver": approver, "wall_ns": at_ns}
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
