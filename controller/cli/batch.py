"""``ovenctl batch``: ask the running core for something; it answers in the journal."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from controller import config as configs
from controller.cli import approval as approvals
from controller.cli.asking import AsJson, Asker, ConfigPath, Expect, Reason, ask, configured, console
from controller.errors import FileError, Problem
from controller.recipe.states import Verb

app = typer.Typer(no_args_is_help=True, help="Ask the running core for something; it answers in the journal.")


@app.command("start")
def batch_start(
    recipe: Annotated[str, typer.Argument(help="recipe file, or ID/REVISION of the library")],
    load: Path,
    approval: Annotated[Path | None, typer.Option(help="approval of the file; RECIPE.approval without, if it is there")] = None,
    formula: Annotated[list[str] | None, typer.Option(help="name=value, inside the formula's range")] = None,
    in_min: Annotated[float | None, typer.Option(help="begin so many minutes from now, if nothing blocks it then")] = None,
    user: Asker = None,
    config: ConfigPath = None,
) -> None:
    """Start a batch: a recipe and a load record. A delayed start is cancelled by HOLD, STOP, ABORT or RESET."""
    from controller.recipe import reading

    settings = configured(config)
    args = approvals.brought(settings, recipe, _formula(formula or []), approval)
    reading.read_load(load)
    args["load"] = load.read_text("utf-8")
    if in_min is not None:
        args["start_in_min"] = in_min
    ask(settings, Verb.START, user, args, "IDLE")


def _formula(pairs: list[str]) -> dict[str, float]:
    numbers = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        try:
            numbers[name] = float(value)
        except ValueError:
            raise FileError("--formula", [Problem(name, value, "name=number")]) from None
    return numbers


def _verb(verb: Verb, text: str) -> None:
    def asked(
        reason: Annotated[str, typer.Option(help="goes into the batch record")] = "",
        expect: Annotated[str | None, typer.Option(help="refuse unless the unit is in this state")] = None,
        user: Asker = None,
        config: ConfigPath = None,
    ) -> None:
        ask(configured(config), verb, user, {"reason": reason}, expect)

    asked.__doc__ = text
    app.command(verb.value.lower())(asked)


@app.command("autotune")
def batch_autotune(
    loop: Annotated[str, typer.Argument(help="zone (with direct_output), lead, or off to end a running one")],
    amplitude: Annotated[float | None, typer.Option(help="to each side: % of heater output (zone) or degC of lead")] = None,
    hysteresis_c: Annotated[float | None, typer.Option(help="of the relay, above the noise of the temperature, degC")] = None,
    swing_c: Annotated[float | None, typer.Option(help="how far the temperature may go from its set point, degC")] = None,
    limit_min: Annotated[float | None, typer.Option(help="how long it may take, min")] = None,
    reason: Annotated[str, typer.Option(help="goes into the batch record")] = "",
    user: Asker = None,
    config: ConfigPath = None,
) -> None:
    """Identify a loop in the middle of a SOAK and propose a tuning; `ovenctl tune` shows it. Changes no setting."""
    given = {"amplitude": amplitude, "hysteresis_c": hysteresis_c, "swing_c": swing_c, "limit_min": limit_min}
    args = {"loop": loop, "reason": reason, **{name: value for name, value in given.items() if value is not None}}
    ask(configured(config), Verb.AUTOTUNE, user, args, None if loop == "off" else "RUNNING")


def _phase_now(config: configs.Config, given: int | None) -> int | None:
    """Return the number of the phase that is meant: the one given, or the last that the journal says has begun."""
    from controller import status

    shown = str(status.read(Path(config.core.journal)).get("phase", "")).split()
    return given if given is not None or not shown else int(shown[0])


@app.command("skip")
def batch_skip(
    reason: Reason,
    phase: Annotated[int | None, typer.Option(help="phase to skip; the one that runs without")] = None,
    expect: Expect = None,
    user: Asker = None,
    config: ConfigPath = None,
) -> None:
    """Go on to the next phase. A proof that heat needs cannot be skipped."""
    settings = configured(config)
    ask(settings, Verb.SKIP, user, {"reason": reason, "phase": _phase_now(settings, phase)}, expect)


@app.command("back")
def batch_back(
    phase: Annotated[int, typer.Argument(help="number of an earlier phase, as ovenctl status and recipe show count")],
    reason: Reason,
    expect: Expect = None,
    user: Asker = None,
    config: ConfigPath = None,
) -> None:
    """Go back to the phase with that number, which begins anew."""
    ask(configured(config), Verb.BACK, user, {"reason": reason, "phase": phase}, expect)


@app.command("edit")
def batch_edit(
    phase: Annotated[str, typer.Argument(help="number of this or a later phase, or endpoint")],
    key: Annotated[str, typer.Argument(help="parameter, as in the recipe")],
    value: str,
    reason: Reason,
    expect: Expect = None,
    user: Asker = None,
    config: ConfigPath = None,
) -> None:
    """Change one parameter of the running control recipe; the master stays as it is."""
    try:
        said: object = json.loads(value)
    except ValueError:
        said = value
    args = {"reason": reason, "phase": int(phase) if phase.isdecimal() else phase, "key": key, "value": said}
    ask(configured(config), Verb.EDIT, user, args, expect)


@app.command("setpoint")
def batch_setpoint(
    temp_c: float,
    reason: Reason,
    rate_c_per_min: Annotated[float | None, typer.Option("--rate", help="degC/min; as fast as the oven may without")] = None,
    user: Asker = None,
    config: ConfigPath = None,
) -> None:
    """Move the set point of a held batch; the hold's time limit goes on."""
    rate = {} if rate_c_per_min is None else {"rate_c_per_min": rate_c_per_min}
    ask(configured(config), Verb.SETPOINT, user, {"reason": reason, "temp_c": temp_c, **rate}, "HELD")


@app.command("confirm")
def batch_confirm(
    answer: Annotated[str, typer.Argument(help="what the phase asks for; nothing for a mere confirmation")] = "",
    phase: Annotated[int | None, typer.Option(help="phase that asks; the one that runs without")] = None,
    user: Asker = None,
    config: ConfigPath = None,
) -> None:
    """Answer the question of an OPERATOR phase."""
    settings = configured(config)
    ask(settings, Verb.CONFIRM, user, {"answer": answer, "phase": _phase_now(settings, phase)}, None)


@app.command("status")
def batch_status(config: ConfigPath = None, as_json: AsJson = False) -> None:
    """Show where the unit stands, from the journal."""
    from controller import status

    shown = status.read(Path(configured(config).core.journal))
    if as_json:
        sys.stdout.write(json.dumps(status.plain(shown), allow_nan=False) + "\n")
        return
    for name, value in status.lines(shown):
        console.print(f"{name:22} {value}", soft_wrap=True, highlight=False, markup=False)


_verb(Verb.HOLD, "Hold the batch: set point kept for a while, inerting on.")
_verb(Verb.RESTART, "Go on after a hold, once the atmosphere is proven again.")
_verb(Verb.STOP, "End the batch: controlled cool-down in N2.")
_verb(Verb.ABORT, "End the batch at once: heat contactor open, inerting on.")
_verb(Verb.RESET, "Reset latched trips whose cause is gone; back to IDLE after a batch.")
_verb(Verb.ACKNOWLEDGE, "Acknowledge alarms.")
