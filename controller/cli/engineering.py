"""``ovenctl why``, ``bypass``, ``tune``, ``calibrate``, ``print``: for those who commission the oven and find out why it waits."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperArgument, TyperCommand

from controller.cli.asking import AsJson, Asker, ConfigPath, JournalPath, ask, configured, console
from controller.clock import wall_ns
from controller.recipe.states import Verb

app = typer.Typer()


@app.command("why")
def why_(
    question: Annotated[str, typer.Argument(help="start, heat or open")] = "start", config: ConfigPath = None, as_json: AsJson = False
) -> None:
    """Say why the oven does not start, heat or open: each failing permissive with its value, its limit and what to do."""
    from controller import why
    from controller.permissives import Question

    if question not in list(Question):
        raise typer.BadParameter(f"one of {', '.join(Question)}")
    settings = configured(config)
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
    user: Asker = None,
    config: ConfigPath = None,
) -> None:
    """Take one row of the interlock table out of effect for a while (engineer)."""
    ask(configured(config), Verb.BYPASS, user, {"rule": rule, "minutes": minutes, "reason": reason}, None)


@app.command()
def unbypass(rule: str, user: Asker = None, config: ConfigPath = None) -> None:
    """Put a bypassed row back into effect."""
    ask(configured(config), Verb.UNBYPASS, user, {"rule": rule}, None)


@app.command()
def tune(
    journal: JournalPath = None,
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Show what autotune found last, and the part of controller.toml that it proposes."""
    from controller.journal import tuned

    last = tuned.last(journal or Path(configured(config).core.journal))
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


class _Listing(TyperCommand):
    """A command whose help lists the documents; they are imported for that alone."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help with the documents' names."""
        from controller.printing import DOCUMENTS

        for one in self.params:
            if isinstance(one, TyperArgument):
                one.help = ", ".join(DOCUMENTS)
        super().format_help(ctx, formatter)


@app.command("print", cls=_Listing)
def print_(what: Annotated[str, typer.Argument(help="the document")]) -> None:
    """Print a document made from the one table behind it: lists, matrices, the state diagram, the acceptance protocol, controller.toml."""
    from controller.printing import DOCUMENTS

    if what not in DOCUMENTS:
        raise typer.BadParameter(f"{what!r} is none of {', '.join(DOCUMENTS)}")
    sys.stdout.write(DOCUMENTS[what][1]())
