"""The methods of ``Batch`` and ``Alarms``: each posts one command for the core and waits for its answer in the journal."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from asyncua import ua

from controller.clock import wall_s
from controller.errors import OvenctlError
from controller.northbound.library import Library, LibraryError
from controller.northbound.opcua.methods import Arg, Fault, Method, Values, on_thread
from controller.northbound.opcua.port import Answer, Oven
from controller.northbound.opcua.users import Person
from controller.recipe.model import LoadRecord
from controller.recipe.states import UnitState, Verb

POLL_S: Final = 0.1
ANSWER: Final = (
    Arg("Accepted", "Boolean", "the core has carried it out"),
    Arg("Answer", "String", "what the core says, the reason when it refuses"),
    Arg("CommandId", "String", "under which the journal has it"),
)
_REASON: Final = Arg("Reason", "String", "goes into the batch record")
_EXPECTED: Final = Arg("ExpectedState", "String", "refuse unless the unit is in this state; empty: in any")
_RULE: Final = Arg("Rule", "String", "row of the interlock table", most=32)
LOAD: Final = (
    Arg("RollIds", "String[]", "rolls in the oven", most=60),
    Arg("ResinLot", "String", "resin lot", most=200),
    Arg("Solvent", "String", "of the film, as the recipe has it", most=200),
    Arg("PredryTemperature", "Double", "of the coating line's dryer, degC", 0, 300),
    Arg("ResidualSolvent", "Double", "at loading, wt%", 0, 100),
    Arg("ResidualSolventSd", "Double", "of that measurement, wt%", 0.001, 10),
    Arg("Length", "Double", "m", 0.1, 20000),
    Arg("Width", "Double", "m", 0.05, 3),
    Arg("Foil", "Double", "thickness, um", 5, 200),
    Arg("Film", "Double", "thickness, um", 1, 200),
    Arg("Gap", "Double", "between the turns, um", 1, 1000),
    Arg("Core", "Double", "diameter, mm", 30, 600),
    Arg("Tape", "String", "at the edges", most=200),
)
_LOAD_KEYS: Final = (
    "roll_ids", "resin_lot", "solvent", "predry_c", "residual_wt_pct", "residual_sd_wt_pct", "length_m", "width_m", "foil_um", "film_um",
    "gap_um", "core_mm", "tape",
)  # fmt: skip
_PLAIN: Final = (
    ("Hold", Verb.HOLD, "hold the batch"),
    ("Restart", Verb.RESTART, "go on with a held batch"),
    ("Stop", Verb.STOP, "end the batch in order"),
    ("Abort", Verb.ABORT, "end the batch at once, safe first"),
    ("Reset", Verb.RESET, "clear trips whose cause is gone; an ended unit to IDLE"),
)


class Asking:
    """Posts commands and waits for answers."""

    def __init__(self, oven: Oven, answer_s: float) -> None:
        """Remember whom to ask and how long to wait."""
        self._oven = oven
        self._answer_s = answer_s

    async def ask(self, person: Person, verb: str, args: Mapping[str, object], expected: str | None = None) -> tuple[bool, str, str]:
        """Return whether it was done, the core's words and the command's id. Raises Fault when no answer came."""
        if expected is not None and expected not in UnitState.__members__:
            raise Fault(ua.StatusCodes.BadInvalidArgument, f"ExpectedState = {expected!r}: one of {', '.join(UnitState.__members__)}")
        try:
            command = await on_thread(self._oven.ask, person.name, person.role, verb, args, expected)
            deadline_s = wall_s(self._answer_s)
            while wall_s() < deadline_s:
                answer: Answer | None = await on_thread(self._oven.answer, command)
                if answer is not None:
                    return answer.accepted, answer.text, command
                await asyncio.sleep(POLL_S)
        except OvenctlError as error:
            raise Fault(ua.StatusCodes.BadResourceUnavailable, str(error)) from error
        raise Fault(ua.StatusCodes.BadTimeout, f"{verb}: no answer in {self._answer_s:g} s; the command expires by itself")


def table(asking: Asking, library: Library) -> tuple[Method, ...]:
    """Return the methods of both objects."""
    return (
        Method("Batch.Start", "start an approved recipe with a load; its formula's values may be set inside their ranges", (
            Arg("RecipeId", "String", "as the library lists it", most=64), Arg("Revision", "UInt32", "approved", 1, 1_000_000), *LOAD,
            Arg("FormulaNames", "String[]", "of the values that differ from the recipe's", most=64),
            Arg("FormulaValues", "Double[]", "in the same order"),
        ), ANSWER, lambda person, values: start(asking, library, person, values)),
        *(Method(f"Batch.{name}", text, (_REASON, _EXPECTED), ANSWER, _plain(asking, verb)) for name, verb, text in _PLAIN),
        Method("Batch.Skip", "go on to the next phase; a proof that heat needs cannot be skipped",
               (Arg("Phase", "UInt32", "number of the phase that runs, as Oven.Unit.Segment has it", 1, 1000), _REASON), ANSWER,
               lambda person, values: asking.ask(person, Verb.SKIP, {"phase": values["Phase"], "reason": values["Reason"]})),
        Method("Batch.EnterLabResult", "record what the laboratory found; judged against the product's limits", (
            Arg("BatchId", "UInt32", "number of the batch", 1, 1e9), Arg("RollId", "String", "roll that was sampled", most=60),
            Arg("Assay", "String", "residual_solvent_wt_pct or insoluble_pct", most=64), Arg("Value", "Double", "in wt% or %", 0, 100),
            Arg("StandardDeviation", "Double", "of the value", 0, 100), Arg("Method", "String", "of the laboratory", most=200), _REASON,
        ), ANSWER, _lab(asking)),
        Method("Alarms.Acknowledge", "say that the alarm was seen; with an empty rule all of them", (_RULE, _REASON), ANSWER,
               lambda person, values: asking.ask(person, Verb.ACKNOWLEDGE, _named(values))),
        Method("Alarms.Confirm", "say that the cause of a trip was found and dealt with; with an empty rule of all that wait for it",
               (_RULE, _REASON), ANSWER, lambda person, values: asking.ask(person, Verb.CONFIRM_ALARM, _named(values))),
        Method("Alarms.Shelve", "put an alarm aside for a time", (_RULE, Arg("Minutes", "Double", "how long", 0.1, 480), _REASON), ANSWER,
               lambda person, values: asking.ask(person, Verb.SHELVE, {**_named(values), "minutes": values["Minutes"]})),
        Method("Alarms.Unshelve", "take a shelved alarm back", (_RULE, _REASON), ANSWER,
               lambda person, values: asking.ask(person, Verb.UNSHELVE, _named(values))),
    )  # fmt: skip


def load_text(values: Values) -> str:
    """Return the load of a call as the text that the core reads.

    Raises:
        Fault: it is no load record.
    """
    given = {key: values[arg.name] for key, arg in zip(_LOAD_KEYS, LOAD, strict=True)}
    try:
        LoadRecord.model_validate(given)
    except ValueError as error:
        raise Fault(ua.StatusCodes.BadInvalidArgument, f"load: {error}") from error
    return "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in given.items())


async def start(asking: Asking, library: Library, person: Person, values: Values, ahead_min: float = 0.0) -> tuple[bool, str, str]:
    """Return the core's answer to a START of an approved revision, or why the library does not hand it out. Raises Fault.

    Above 0 the batch is to begin after ``ahead_min``.
    """
    names, numbers = values["FormulaNames"], values["FormulaValues"]
    if len(names) != len(numbers) or len(set(names)) != len(names):
        raise Fault(
            ua.StatusCodes.BadInvalidArgument, f"FormulaNames and FormulaValues: {len(names)} and {len(numbers)}; one value per name"
        )
    load = load_text(values)
    try:
        found = await on_thread(library.approved, values["RecipeId"], values["Revision"])
    except LibraryError as error:
        return False, str(error), ""
    formula = dict(zip(names, numbers, strict=True))
    args = {"recipe": found.text, "load": load, "formula": formula, "approval": found.approval._asdict()}
    if ahead_min > 0:
        args["start_in_min"] = ahead_min
    return await asking.ask(person, Verb.START, args, "IDLE")


def _plain(asking: Asking, verb: Verb) -> Any:
    return lambda person, values: asking.ask(person, verb, {"reason": values["Reason"]}, values["ExpectedState"] or None)


def _named(values: Values) -> dict[str, object]:
    return {"reason": values["Reason"]} | ({"rule": values["Rule"]} if values["Rule"] else {})


def _lab(asking: Asking) -> Any:
    return lambda person, values: asking.ask(person, "LAB_RESULT", {
        "batch_id": values["BatchId"], "roll_id": values["RollId"], "assay": values["Assay"], "value": values["Value"],
        "sd": values["StandardDeviation"], "method": values["Method"], "reason": values["Reason"],
    })  # fmt: skip
