"""The verb LAB_RESULT: what the laboratory found in a coupon goes into the journal, judged against the product's limits."""

import math
from typing import Any, Final

from controller.actions.action import Action, Moment
from controller.command import Command
from controller.errors import Problem
from controller.memory import Memory
from controller.recipe.check import INSOLUBLE_PCT
from controller.recipe.model import Endpoint
from controller.recipe.standing import Note
from controller.recipe.states import Verb
from controller.roles import Role

ASSAYS: Final = ("residual_solvent_wt_pct", "insoluble_pct")
_TEXTS: Final = (("roll_id", 60), ("method", 200))


def _refuse(moment: Moment, command: Command) -> str:
    args, last = command.args, moment.memory.last_batch_id
    batch = args.get("batch_id")
    if isinstance(batch, bool) or not isinstance(batch, int) or not 1 <= batch <= last:
        return str(Problem("batch_id", batch, f"1 to {last}, the last batch" if last else "no batch has been started yet"))
    if args.get("assay") not in ASSAYS:
        return str(Problem("assay", args.get("assay"), f"one of {', '.join(ASSAYS)}"))
    for name in ("value", "sd"):
        number = args.get(name, 0.0 if name == "sd" else None)
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number) or not 0 <= number <= 100:
            return str(Problem(name, number, "0 to 100"))
    for name, most in _TEXTS:
        text = args.get(name, "")
        if not isinstance(text, str) or len(text) > most or (name == "roll_id" and not text.strip()):
            return str(Problem(name, text, f"a text of at most {most} characters"))
    running = moment.memory.unit.batch
    if running is not None and running.id == batch and args["roll_id"] not in running.load.roll_ids:
        return str(Problem("roll_id", args["roll_id"], f"batch {batch} has {', '.join(running.load.roll_ids)}"))
    return ""


def _carry_out(moment: Moment, command: Command) -> tuple[Memory, tuple[Note, ...], str]:
    args, running = command.args, moment.memory.unit.batch
    known = running is not None and running.id == args["batch_id"]
    low, high = limits(str(args["assay"]), running.recipe.endpoint if known and running is not None else None)
    value = float(args["value"])
    judged = "inside" if low <= value <= high else "OUTSIDE"
    said = f"{args['assay']} {value:g} is {judged} {low:g} to {high:g} ({'the recipe' if known else 'the claims'})"
    content: dict[str, Any] = {
        "what": "LAB_RESULT", "why": f"entered by {command.user}: {said}", **{name: args.get(name, "") for name, _ in _TEXTS},
        "batch_id": args["batch_id"], "assay": args["assay"], "value": value, "sd": float(args.get("sd", 0.0)), "low": low, "high": high,
        "judged": judged, "user": command.user, "reason": command.reason,
    }  # fmt: skip
    return moment.memory, (Note("decision", content),), f"batch {args['batch_id']}, roll {args['roll_id']}: {said}"


def limits(assay: str, endpoint: Endpoint | None) -> tuple[float, float]:
    """Return what the product must lie between: the recipe's endpoint, without one the windows of the claims, in % or wt%."""
    if assay == "insoluble_pct":
        return INSOLUBLE_PCT if endpoint is None else (endpoint.insoluble_low_pct, endpoint.insoluble_high_pct)
    return 0.0, 100.0 if endpoint is None else endpoint.max_residual_wt_pct


LABORATORY: Final[dict[Verb, Action]] = {
    Verb.LAB_RESULT: Action(Role.OPERATOR, frozenset({"batch_id", "roll_id", "assay", "value", "sd", "method"}), _refuse, _carry_out),
}
