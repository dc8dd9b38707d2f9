"""``ovenctl``: the commands of the core, the gateway and the people around the oven."""

import asyncio
import getpass
import json
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
from rich.console import Console
from rich.table import Table

from controller import alarms_cli, approval_cli, pki_cli
from controller import config as configs
from controller.clock import pause, wall_ns, wall_s
from controller.errors import FileError, OvenctlError, Problem
from controller.recipe.states import Verb

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Edge controller of one batch oven.")
recipe_app = typer.Typer(no_args_is_help=True, help="Check and show recipes.")
batch_app = typer.Typer(no_args_is_help=True, help="Ask the running core for something; it answers in the journal.")
journal_app = typer.Typer(no_args_is_help=True, help="Look into the journal.")
app.add_typer(recipe_app, name="recipe")
app.add_typer(batch_app, name="batch")
app.add_typer(journal_app, name="journal")
prooftest_app = typer.Typer(no_args_is_help=True, help="Proof tests: of the PLC contract before a batch, of safety devices now and then.")
app.add_typer(prooftest_app, name="prooftest")
console = Console()
EX_CONFIG = 78  # sysexits.h: a mistake in a file; systemd does not restart after it

ConfigPath = Annotated[
    Path | None, typer.Option("--config", "-c", envvar="OVENCTL_CONFIG", help="controller.toml; built-in defaults without")
]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object on the last line")]


def _config(path: Path | None) -> configs.Config:
    return configs.load(path) if path is not None else configs.anchored(configs.Config(), Path.cwd())


@app.command()
def run(config: ConfigPath = None) -> None:
    """Run the core: scan, interlocks, journal. Stops on SIGTERM or Ctrl-C with the oven safe."""
    from controller import service

    _serve(service.run(_config(config)))


@app.command("warm-up")
def warm_up() -> None:
    """Compile the model into its cache, so that the core starts within seconds. Wanted once after an installation."""
    from controller import estimator

    console.print(f"{estimator.warm_up()} compiled functions ready")


@app.command()
def gateway(config: ConfigPath = None) -> None:
    """Run the gateway: MQTT out of the journal. The core does not need it."""
    from controller import gateway as gateways

    _serve(gateways.run(_config(config)))


@recipe_app.command("check")
def recipe_check(
    file: Path, load: Annotated[Path | None, typer.Option(help="load record to check with it")] = None, config: ConfigPath = None
) -> None:
    """Check a recipe, and a load with it, against form, equipment and the claims' windows."""
    from controller.commands import problems_of
    from controller.recipe import check, reading

    settings = _config(config).settings
    sourced = reading.read_recipe(file)
    problems = problems_of(settings, sourced.recipe)
    if problems:
        raise FileError(str(file), problems)
    if load is not None and (found := check.check_load(reading.read_load(load), sourced.recipe, settings.equipment)):
        raise FileError(str(load), found)
    for warning in check.warnings_of(sourced.recipe):
        console.print(f"warning: {warning}")
    console.print(f"{sourced.recipe.id} rev {sourced.recipe.revision}: fit for this oven, sha256 {sourced.sha256}")


@recipe_app.command("dryrun")
def recipe_dryrun(
    file: Path,
    load: Annotated[Path, typer.Option(help="load record")],
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Run a recipe with a load on the model, over all that is not known of the product; exit code 1 when the receipt is doubtful."""
    from controller import dryrun
    from controller.commands import problems_of
    from controller.recipe import check, reading

    settings = _config(config).settings
    sourced, record = reading.read_recipe(file), reading.read_load(load)
    if problems := problems_of(settings, sourced.recipe):
        raise FileError(str(file), problems)
    if problems := check.check_load(record, sourced.recipe, settings.equipment):
        raise FileError(str(load), problems)
    receipt = dryrun.dry_run(settings, sourced.recipe, sourced.sha256, record)
    if as_json:
        print(json.dumps({**dryrun.plain(receipt), "verdict": receipt.verdict}))
    else:
        for line in dryrun.lines(receipt):
            console.print(line, highlight=False, soft_wrap=True)
    raise typer.Exit(0 if receipt.verdict == "READY" else 1)


@recipe_app.command("show")
def recipe_show(file: Path) -> None:
    """Show a recipe's phases with the formula's numbers in place."""
    from controller.recipe import reading

    recipe = reading.read_recipe(file).recipe
    table = Table(title=f"{recipe.id} rev {recipe.revision} · {recipe.title}")
    for column in ("", "phase", "name", "what"):
        table.add_column(column)
    for index, phase in enumerate(recipe.phase):
        said = phase.model_dump(exclude={"kind", "name", "comment", "at", "turn"}, exclude_none=True)
        table.add_row(
            str(index), phase.kind, phase.title if phase.turn else phase.name, ", ".join(f"{key} {value}" for key, value in said.items())
        )
    console.print(table)


@batch_app.command("start")
def batch_start(
    recipe: Annotated[str, typer.Argument(help="recipe file, or ID/REVISION of the library")],
    load: Path,
    approval: Annotated[Path | None, typer.Option(help="approval of the file; RECIPE.approval without, if it is there")] = None,
    formula: Annotated[list[str] | None, typer.Option(help="name=value, inside the formula's range")] = None,
    in_min: Annotated[float | None, typer.Option(help="begin so many minutes from now, if nothing blocks it then")] = None,
    user: Annotated[str | None, typer.Option()] = None,
    config: ConfigPath = None,
) -> None:
    """Start a batch: a recipe and a load record. A delayed start is cancelled by HOLD, STOP, ABORT or RESET."""
    from controller.recipe import reading

    settings = _config(config)
    args = approval_cli.brought(settings, recipe, _formula(formula or []), approval)
    reading.read_load(load)
    args["load"] = load.read_text("utf-8")
    if in_min is not None:
        args["start_in_min"] = in_min
    _ask(settings, Verb.START, user, args, "IDLE")


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
    def ask(
        reason: Annotated[str, typer.Option(help="goes into the batch record")] = "",
        expect: Annotated[str | None, typer.Option(help="refuse unless the unit is in this state")] = None,
        user: Annotated[str | None, typer.Option()] = None,
        config: ConfigPath = None,
    ) -> None:
        _ask(_config(config), verb, user, {"reason": reason}, expect)

    ask.__doc__ = text
    batch_app.command(verb.value.lower())(ask)


@batch_app.command("autotune")
def batch_autotune(
    loop: Annotated[str, typer.Argument(help="zone (with direct_output), lead, or off to end a running one")],
    amplitude: Annotated[float | None, typer.Option(help="to each side: % of heater output (zone) or degC of lead")] = None,
    swing_c: Annotated[float | None, typer.Option(help="how far the temperature may go from its set point, degC")] = None,
    limit_min: Annotated[float | None, typer.Option(help="how long it may take, min")] = None,
    reason: Annotated[str, typer.Option(help="goes into the batch record")] = "",
    user: Annotated[str | None, typer.Option()] = None,
    config: ConfigPath = None,
) -> None:
    """Identify a loop in the middle of a SOAK and propose a tuning; `ovenctl tune` shows it. Changes no setting."""
    given = {"amplitude": amplitude, "swing_c": swing_c, "limit_min": limit_min}
    args = {"loop": loop, "reason": reason, **{name: value for name, value in given.items() if value is not None}}
    _ask(_config(config), Verb.AUTOTUNE, user, args, None if loop == "off" else "RUNNING")


_verb(Verb.HOLD, "Hold the batch: set point kept for a while, inerting on.")
_verb(Verb.RESTART, "Go on after a hold, once the atmosphere is proven again.")
_verb(Verb.STOP, "End the batch: controlled cool-down in N2.")
_verb(Verb.ABORT, "End the batch at once: heat contactor open, inerting on.")
_verb(Verb.RESET, "Reset latched trips whose cause is gone; back to IDLE after a batch.")
_verb(Verb.ACKNOWLEDGE, "Acknowledge alarms.")


Reason = Annotated[str, typer.Option(help="goes into the batch record")]
Expect = Annotated[str | None, typer.Option(help="refuse unless the unit is in this state")]
Asker = Annotated[str | None, typer.Option("--user", help="who asks; the login name without")]


def _phase_now(config: configs.Config, given: int | None) -> int | None:
    """Return the number of the phase that is meant: the one given, or the last that the journal says has begun."""
    from controller import status

    shown = str(status.read(Path(config.core.journal)).get("phase", "")).split()
    return given if given is not None or not shown else int(shown[0])


@batch_app.command("skip")
def batch_skip(
    reason: Reason,
    phase: Annotated[int | None, typer.Option(help="phase to skip; the one that runs without")] = None,
    expect: Expect = None,
    user: Asker = None,
    config: ConfigPath = None,
) -> None:
    """Go on to the next phase. A proof that heat needs cannot be skipped."""
    settings = _config(config)
    _ask(settings, Verb.SKIP, user, {"reason": reason, "phase": _phase_now(settings, phase)}, expect)


@batch_app.command("back")
def batch_back(phase: int, reason: Reason, expect: Expect = None, user: Asker = None, config: ConfigPath = None) -> None:
    """Go back to the phase with that number, which begins anew."""
    _ask(_config(config), Verb.BACK, user, {"reason": reason, "phase": phase}, expect)


@batch_app.command("edit")
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
    _ask(_config(config), Verb.EDIT, user, args, expect)


@batch_app.command("setpoint")
def batch_setpoint(
    temp_c: float,
    reason: Reason,
    rate_c_per_min: Annotated[float | None, typer.Option("--rate", help="degC/min; as fast as the oven may without")] = None,
    user: Asker = None,
    config: ConfigPath = None,
) -> None:
    """Move the set point of a held batch; the hold's time limit goes on."""
    rate = {} if rate_c_per_min is None else {"rate_c_per_min": rate_c_per_min}
    _ask(_config(config), Verb.SETPOINT, user, {"reason": reason, "temp_c": temp_c, **rate}, "HELD")


@batch_app.command("confirm")
def batch_confirm(
    answer: Annotated[str, typer.Argument(help="what the phase asks for; nothing for a mere confirmation")] = "",
    phase: Annotated[int | None, typer.Option(help="phase that asks; the one that runs without")] = None,
    user: Asker = None,
    config: ConfigPath = None,
) -> None:
    """Answer the question of an OPERATOR phase."""
    settings = _config(config)
    _ask(settings, Verb.CONFIRM, user, {"answer": answer, "phase": _phase_now(settings, phase)}, None)


@batch_app.command("status")
def batch_status(config: ConfigPath = None, as_json: AsJson = False) -> None:
    """Show where the unit stands, from the journal."""
    from controller import status

    shown = status.read(Path(_config(config).core.journal))
    if as_json:
        sys.stdout.write(json.dumps(shown) + "\n")
        return
    for name, value in status.lines(shown):
        console.print(f"{name:22} {value}", soft_wrap=True, highlight=False, markup=False)


@app.command()
def report(
    out: Annotated[Path, typer.Option(help="HTML file to write")] = Path("batch-report.html"),
    batch: Annotated[int | None, typer.Option(help="number of the batch; the last one without")] = None,
    coupons: Annotated[Path | None, typer.Option(help="TOML or JSON file with lab results")] = None,
    reference: Annotated[Path | None, typer.Option(help="CSV file of curves to draw beside the estimate, see journal/reference.py")] = None,
    journal: Annotated[Path | None, typer.Option(help="journal to read; the configured one without")] = None,
    config: ConfigPath = None,
) -> None:
    """Write the batch record as one self-contained HTML file."""
    from controller.journal import report as reports

    source = journal or Path(_config(config).core.journal)
    console.print(str(reports.report(source, out, batch, _coupons(coupons), reference)))


def _coupons(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    import tomllib

    try:
        text = path.read_text("utf-8")
        return dict(json.loads(text)) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise FileError(str(path), [Problem("file", str(error), "must be readable TOML or JSON in UTF-8")]) from error


@app.command()
def tune(
    journal: Annotated[Path | None, typer.Option(help="journal to read; the configured one without")] = None,
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Show what autotune found last, and the part of controller.toml that it proposes."""
    from controller.journal import tuned

    last = tuned.last(journal or Path(_config(config).core.journal))
    if as_json:
        sys.stdout.write(json.dumps(last) + "\n")
    else:
        for line in tuned.lines(last):
            console.print(line, soft_wrap=True, highlight=False, markup=False)
    raise typer.Exit(0 if last else 1)


@app.command()
def calibrate(
    files: Annotated[list[Path], typer.Argument(help="LAB.toml and the journals of its batches; with --show: parameter sets")],
    out: Annotated[Path | None, typer.Option(help="new file for the parameter set; only shown without")] = None,
    lot: Annotated[str | None, typer.Option(help="resin lot, when the laboratory's file has several")] = None,
    prior: Annotated[Path | None, typer.Option(help="parameter set to start from; the literature without")] = None,
    held_out: Annotated[list[str] | None, typer.Option(help="coupon or batch to foretell instead of learning from; repeatable")] = None,
    date: Annotated[str | None, typer.Option(help="YYYY-MM-DD, when the laboratory's file has none; today without")] = None,
    show: Annotated[bool, typer.Option("--show", help="show the drift over parameter sets")] = False,
    as_json: AsJson = False,
) -> None:
    """Learn a resin lot's crosslinking from coupons, or show how lots drift."""
    from controller.calibrate import cli

    today = datetime.fromtimestamp(wall_ns() / 1e9, UTC).date().isoformat()
    wanted = cli.Wanted(files, out, lot, prior, held_out or [], date or today, show)
    shown, said = cli.run(wanted)
    if as_json:
        sys.stdout.write(json.dumps(said) + "\n")
    else:
        console.print(shown)


@journal_app.command("verify")
def journal_verify(journal: Annotated[Path | None, typer.Argument()] = None, config: ConfigPath = None) -> None:
    """Check the whole hash chain and that no number is missing."""
    from controller.journal.chain import verify

    found = verify(journal or Path(_config(config).core.journal))
    console.print(found.text)
    if found.first_bad_seq is not None:
        raise typer.Exit(1)


User = Annotated[str | None, typer.Option(help="who asks; the login name without")]


@app.command("why")
def why_(
    question: Annotated[str, typer.Argument(help="start, heat or open")] = "start", config: ConfigPath = None, as_json: AsJson = False
) -> None:
    """Say why the oven does not start, heat or open: each failing permissive with its value, its limit and what to do."""
    from controller import why
    from controller.permissives import Question

    if question not in list(Question):
        raise typer.BadParameter(f"one of {', '.join(Question)}")
    settings = _config(config)
    answer = why.why(Path(settings.core.journal), settings.settings, Question(question))
    if as_json:
        sys.stdout.write(json.dumps({"question": question, "at_s": answer.at_s, "found": [one._asdict() for one in answer.found]}) + "\n")
        return
    for line in why.lines(answer, wall_ns()):
        console.print(line, soft_wrap=True, highlight=False, markup=False)


@app.command()
def bypass(
    rule: str,
    reason: Annotated[str, typer.Option(help="why; shown wherever the unit's state is shown")],
    minutes: Annotated[float, typer.Option(help="it ends by itself after so long")] = 30.0,
    user: User = None,
    config: ConfigPath = None,
) -> None:
    """Take one row of the interlock table out of effect for a while (engineer)."""
    _ask(_config(config), Verb.BYPASS, user, {"rule": rule, "minutes": minutes, "reason": reason}, None)


@app.command()
def unbypass(rule: str, user: User = None, config: ConfigPath = None) -> None:
    """Put a bypassed row back into effect."""
    _ask(_config(config), Verb.UNBYPASS, user, {"rule": rule}, None)


@app.command()
def incident(
    number: Annotated[int | None, typer.Argument(help="of the incident; the newest without")] = None,
    listed: Annotated[bool, typer.Option("--list", help="list them all")] = False,
    config: ConfigPath = None,
) -> None:
    """Show a first-out with the minute before and after it: order of the rows, signals that moved, main values."""
    from controller.journal import incident as incidents
    from controller.journal.reader import JournalReader

    with JournalReader(Path(_config(config).core.journal)) as reader:
        if listed:
            for one in incidents.incidents(reader):
                console.print(f"{one.number:4} {one.at_s:12.1f} s  {one.rule:5} {one.effect:8} {one.text}", highlight=False, markup=False)
            return
        shot = incidents.snapshot(reader, number)
    for line in incidents.lines(shot):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    head, body = incidents.sheet(shot)
    table = Table(*head)
    for row in body:
        table.add_row(*row)
    console.print(table)


@prooftest_app.command("run")
def prooftest_run(
    recipe: Annotated[Path | None, typer.Option(help="recipe file the batch will run; no other may start on this test")] = None,
    user: User = None,
    config: ConfigPath = None,
) -> None:
    """Make the proof test that a batch needs: cold oven, air in it, door closed. Takes a minute or two; `status` shows the result."""
    from controller.recipe import reading

    args = {} if recipe is None else {"recipe_sha256": reading.read_recipe(recipe).sha256}
    _ask(_config(config), Verb.PROOF_TEST, user, args, "IDLE")


@prooftest_app.command("cancel")
def prooftest_cancel(user: User = None, config: ConfigPath = None) -> None:
    """Break the running proof test off."""
    _ask(_config(config), Verb.PROOF_TEST, user, {"cancel": True}, None)


@prooftest_app.command("record")
def prooftest_record(
    device: str,
    result: Annotated[str, typer.Argument(help="pass or fail")],
    reason: Annotated[str, typer.Option(help="what was found; needed with fail")] = "",
    date: Annotated[str, typer.Option(help="day of the test, YYYY-MM-DD; today without")] = "",
    user: User = None,
    config: ConfigPath = None,
) -> None:
    """Write the periodic proof test of a safety device into the journal (engineer)."""
    _ask(_config(config), Verb.PROOF_RECORD, user, {"device": device, "result": result, "date": date, "reason": reason}, None)


@prooftest_app.command("status")
def prooftest_status(config: ConfigPath = None) -> None:
    """Show the last proof test before a batch, and when each safety device is due."""
    from controller.journal import prooftests
    from controller.journal.reader import JournalReader

    settings = _config(config)
    with JournalReader(Path(settings.core.journal)) as reader:
        found = prooftests.schedule(reader, settings.settings.proof_test.interval_d)
        contract = prooftests.contract_test(reader)
    for line in prooftests.lines(found, contract, prooftests.day_of(wall_ns())):
        console.print(line, soft_wrap=True, highlight=False, markup=False)


@app.command("print")
def print_(what: Annotated[str, typer.Argument(help="io, matrix, effects, alarms, states, fat, config; a wrong name lists all")]) -> None:
    """Print a document made from the one table behind it: lists, matrices, the state diagram, the acceptance protocol, controller.toml."""
    from controller.printing import DOCUMENTS

    if what not in DOCUMENTS:
        raise typer.BadParameter(f"{what!r} is none of {', '.join(DOCUMENTS)}")
    sys.stdout.write(DOCUMENTS[what][1]())


def _ask(config: configs.Config, verb: Verb, user: str | None, args: dict[str, Any], expected: str | None) -> None:
    """Post a command and wait for the core's answer in the journal."""
    from controller.journal.mailbox import post
    from controller.journal.reader import JournalReader

    name = user or getpass.getuser()
    command_id = post(config.core.mailbox, name, verb.value, args, expected, role=config.core.roles.get(name, "operator"))
    deadline_s = wall_s(10.0)
    with JournalReader(Path(config.core.journal)) as reader:
        while wall_s() < deadline_s:
            answer = reader.outcome_of(command_id)
            if answer is not None:
                console.print(f"{verb.value}: {'accepted' if answer.accepted else 'REFUSED'}: {answer.text}")
                raise typer.Exit(0 if answer.accepted else 1)
            pause(0.1)
    console.print(f"{verb.value}: no answer within 10 s; is the core running? (the command expires by itself)")
    raise typer.Exit(2)


app.add_typer(alarms_cli.app_for(_config, _ask), name="alarms")
app.add_typer(pki_cli.pki_app(_config), name="pki")
approval_cli.add_to(recipe_app, _config)
app.add_typer(pki_cli.user_app(_config), name="user")


def _serve(work: Any) -> None:
    """Run ``work`` until it ends or a signal cancels it; the first signal cancels once, later ones are ignored."""
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso"), structlog.processors.LogfmtRenderer()],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )

    async def main() -> None:
        task = asyncio.ensure_future(work)
        asked: list[int] = []

        def stop(number: int) -> None:
            if not asked:
                task.cancel()
            asked.append(number)

        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop, number)
        try:
            await task
        except asyncio.CancelledError:
            if not asked:
                raise

    asyncio.run(main())


def main() -> None:
    """Run ``ovenctl``; a person's mistake is told in one line each, without a traceback."""
    try:
        app()
    except FileError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(EX_CONFIG) from None
    except (OvenctlError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
