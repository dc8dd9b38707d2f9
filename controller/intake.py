"""From mailbox rows to commands: read, checked for age and form, parsed; a refusal travels with its command and the journal answers it."""

from typing import Final

from controller.actions import ACTIONS
from controller.command import NO_ARGS, Command, Start
from controller.errors import FileError, Problem
from controller.journal.mailbox import MALFORMED, MailboxRow
from controller.recipe.approval import Approval, ApprovalSettings, NotApproved, verified
from controller.recipe.reading import parse_load, parse_recipe
from controller.recipe.states import Verb
from controller.roles import Role

OLDEST_S: Final = 600.0  # whatever the sender allows
START_ARGS: Final = frozenset({"recipe", "load", "formula", "start_in_min", "start_at_s", "approval"})

_ROLES: Final = {role.name.lower(): role for role in Role}


_ANYBODY: Final = ApprovalSettings()


def command_of(row: MailboxRow, now_wall_ns: int, approval: ApprovalSettings = _ANYBODY) -> Command:
    """Return ``row`` as a command, its recipe verified; what is wrong with it is its ``refusal``."""
    if row.verb == MALFORMED or row.verb not in Verb.__members__:
        return _refused(row, f"{row.verb!r} is no command; one of {', '.join(Verb)}")
    verb = Verb(row.verb)
    age_s = (now_wall_ns - row.created_wall_ns) / 1e9
    oldest_s = min(row.max_age_s, OLDEST_S)
    if not -5.0 <= age_s <= oldest_s:
        return _refused(row, f"the command is {age_s:.1f} s old, allowed {oldest_s:g} s", verb)
    known = ACTIONS[verb].args if verb in ACTIONS else START_ARGS if verb is Verb.START else frozenset()
    if unknown := set(row.args) - known - {"reason"}:
        takes = ", ".join(sorted(known | {"reason"}))
        return _refused(row, f"unknown arguments: {', '.join(sorted(unknown))}; {verb} takes {takes}", verb)
    if row.role not in _ROLES:
        return _refused(row, f"role {row.role!r} is none of {', '.join(_ROLES)}", verb)
    reason = row.args.get("reason", "")
    if not isinstance(reason, str) or len(reason) > 400:
        return _refused(row, "reason must be a text of at most 400 characters", verb)
    args = {name: value for name, value in row.args.items() if name != "reason"} if verb in ACTIONS else NO_ARGS
    command = Command(row.id, row.user, verb, row.expected_state, row.row, reason=reason, args=args, role=_ROLES[row.role])
    if verb is not Verb.START:
        return command
    try:
        return command._replace(start=_start(row, approval))
    except (FileError, NotApproved) as error:
        return command._replace(refusal=str(error))
    except (ValueError, TypeError, ArithmeticError, RecursionError) as error:  # what hostile text makes of a parser
        return command._replace(refusal=f"not readable: {type(error).__name__}")


def _start(row: MailboxRow, believed: ApprovalSettings) -> Start:
    recipe, load, formula = row.args.get("recipe"), row.args.get("load"), row.args.get("formula", {})
    if not isinstance(recipe, str) or not isinstance(load, str) or not isinstance(formula, dict):
        raise FileError("START", [Problem("args", sorted(row.args), "recipe and load as text, formula as a table")])
    numbers = {str(name): float(value) for name, value in formula.items() if isinstance(value, int | float) and not isinstance(value, bool)}
    master = sourced = parse_recipe(recipe, "recipe")
    if numbers:
        sourced = parse_recipe(recipe, "recipe", numbers)
    given = _approval(row.args.get("approval"))
    found = verified(believed, master.recipe.id, master.recipe.revision, master.sha256, given)
    start = Start(sourced.recipe, sourced.sha256, sourced.text, parse_load(load, "load"), approval=given, verified=found)
    return start._replace(in_min=_time(row, "start_in_min"), at_s=_time(row, "start_at_s"))


def _approval(given: object) -> Approval | None:
    """Return the approval that came with a recipe, None when none did. Raises FileError."""
    if given is None:
        return None
    texts = [given.get(name) for name in ("author", "approver", "signature")] if isinstance(given, dict) else []
    at_ns = given.get("wall_ns") if isinstance(given, dict) else None
    if len(texts) != 3 or any(not isinstance(text, str) or len(text) > 256 for text in texts) or not isinstance(at_ns, int):
        raise FileError("START", [Problem("approval", given, "author, approver and signature as texts, wall_ns as a number")])
    author, approver, signature = map(str, texts)
    return Approval(author, approver, at_ns, signature)


def _time(row: MailboxRow, name: str) -> float | None:
    value = row.args.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FileError("START", [Problem(name, value, "a number")])
    return float(value)


def _refused(row: MailboxRow, why: str, verb: Verb = Verb.ACKNOWLEDGE) -> Command:
    return Command(row.id, row.user, verb, row.expected_state, row.row, refusal=why, role=_ROLES.get(row.role, Role.VIEWER))
